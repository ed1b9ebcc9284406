// Answers questions with the Go libraries that Flux and Docker are made of, so that tests can hold ours against them.
//
// A question is a line of JSON on standard input, ["operation", "argument", …]; the answer is a line of JSON on
// standard output. What a library refuses is answered with null.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

type operation func(arguments []string) any

var operations = map[string]operation{}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	answers := json.NewEncoder(os.Stdout)
	answers.SetEscapeHTML(false)
	for lines.Scan() {
		var question []string
		if err := json.Unmarshal(lines.Bytes(), &question); err != nil {
			fail(err)
		}
		ask, known := operations[question[0]]
		if !known {
			fail(fmt.Errorf("no operation %q", question[0]))
		}
		if err := answers.Encode(ask(question[1:])); err != nil {
			fail(err)
		}
	}
	if err := lines.Err(); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
