package main

import (
	"encoding/json"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Where the YAML library of Flux's setters sees a marker: the path of each scalar with what its comment names.
func init() {
	operations["markers"] = func(arguments []string) any {
		var document yaml.Node
		if err := yaml.Unmarshal([]byte(arguments[0]), &document); err != nil {
			return nil
		}
		found := map[string]string{}
		for _, content := range document.Content {
			collect(content, "", found)
		}
		return found
	}
}

func collect(node *yaml.Node, path string, found map[string]string) {
	switch node.Kind {
	case yaml.MappingNode:
		for at := 0; at+1 < len(node.Content); at += 2 {
			collect(node.Content[at+1], path+"."+node.Content[at].Value, found)
		}
	case yaml.SequenceNode:
		for at, item := range node.Content {
			collect(item, path+"["+strconv.Itoa(at)+"]", found)
		}
	case yaml.ScalarNode:
		// The first of the two that is there decides, as in kyaml.
		comment := node.LineComment
		if comment == "" {
			comment = node.HeadComment
		}
		fields := map[string]string{}
		if err := json.Unmarshal([]byte(strings.TrimLeft(comment, "#")), &fields); err != nil {
			return
		}
		if policy := fields["$imagepolicy"]; policy != "" {
			found[path] = policy
		}
	}
}
