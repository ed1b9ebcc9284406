package main

import (
	"encoding/json"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

// The data of Flux's message templates, with its nesting.
type namespacedName struct{ Namespace, Name string }

func (n namespacedName) String() string { return n.Namespace + "/" + n.Name }

type typeMeta struct{ APIVersion, Kind string }
type nameMeta struct{ Name, Namespace string }
type resourceIdentifier struct {
	typeMeta
	nameMeta
}
type objectIdentifier struct{ resourceIdentifier }

type change struct{ OldValue, NewValue, Setter string }

type objectChanges map[objectIdentifier][]change

type templateData struct {
	AutomationObject namespacedName
	Changed          changed
	Values           map[string]string
}

type changed struct{ FileChanges map[string]objectChanges }

// Each change once, in the order in which the test sent them: Flux's own is that of its maps, which is chance.
var order []change

func (c changed) Changes() []change { return order }

func (c changed) Objects() objectChanges {
	objects := objectChanges{}
	for _, held := range c.FileChanges {
		for object, changes := range held {
			objects[object] = append(objects[object], changes...)
		}
	}
	return objects
}

// A change as the test sends it: file, the object's four names, old, new, setter.
type sentChange [8]string

type sent struct {
	Namespace, Name string
	Values          map[string]string
	Changes         []sentChange
}

func init() {
	operations["template"] = func(arguments []string) any {
		var about sent
		if err := json.Unmarshal([]byte(arguments[1]), &about); err != nil {
			fail(err)
		}
		parsed, err := template.New("message").Funcs(sprig.HermeticTxtFuncMap()).Parse(arguments[0])
		if err != nil {
			return nil
		}
		var written strings.Builder
		if err := parsed.Execute(&written, dataOf(about)); err != nil {
			return nil
		}
		return written.String()
	}
}

func dataOf(about sent) templateData {
	files := map[string]objectChanges{}
	seen := map[change]bool{}
	order = nil
	for _, one := range about.Changes {
		object := objectIdentifier{resourceIdentifier{typeMeta{one[1], one[2]}, nameMeta{one[4], one[3]}}}
		made := change{one[5], one[6], one[7]}
		if files[one[0]] == nil {
			files[one[0]] = objectChanges{}
		}
		files[one[0]][object] = append(files[one[0]][object], made)
		if !seen[made] {
			seen[made] = true
			order = append(order, made)
		}
	}
	return templateData{
		namespacedName{about.Namespace, about.Name},
		changed{files},
		about.Values,
	}
}
