"""Templates of commit messages in the language of Go's text/template with Sprig's functions, evaluated safely.

The order of the modules is that of the work: `lexer`, `parser` (into `node`), `evaluator` (with `value`, `printf` and
the functions). No value is ever changed, nothing outside the template's data can be reached, and steps, sizes and
depths are bounded, for whoever may edit an ImageUpdateAutomation may write a template.
"""
