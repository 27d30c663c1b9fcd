package rulebook

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

// The limits of an expression.
const (
	maxExpression = 2000 // characters, before parsing
	maxNodes      = 200  // operators, names and numbers, after parsing
)

// scope is what an expression may name.
type scope struct {
	vocabulary *vocabulary
	parameters map[string]*parameter
}

// ofCustomers tells whether expressions are about a customer, and not about the figures of some days.
func (s *scope) ofCustomers() bool { return s.vocabulary.trial == nil }

// example is a condition, for hints.
func (s *scope) example() string {
	if s.ofCustomers() {
		return "total_revenue > 2000"
	}
	return "success_rate < 90"
}

// grammar is all that an expression may hold, for hints.
func (s *scope) grammar() string {
	if s.ofCustomers() {
		return grammar
	}
	return figureGrammar
}

// parameter is a number with a name.
type parameter struct {
	label  value
	number float64
	text   string
	used   bool
}

// expression is a condition or a formula, compiled. It is immutable; a program is run by one vm at a time.
type expression struct {
	text    string // as an expression, also where cells were written
	program *vm.Program
	tree    ast.Node // with the parameters put in
	within  interval // of a formula
	where   value
}

// compile reads an expression from a scalar. A nil result was reported.
func (s *scope) compile(v value, want kind) *expression {
	if v.missing() {
		return nil
	}
	if !v.isScalar() || len(partsOf(v.raw())) == 0 {
		v.report(idType, "expected an expression", "")
		return nil
	}
	v.spelled(asExpression, nil)
	return s.compileWith(v.raw(), want, v, v.reportPart)
}

// compileText compiles the expression that cells became. What is wrong with it is shown at the whole map.
func (s *scope) compileText(text string, v value, want kind) *expression {
	return s.compileWith(text, want, v, func(_, _ int, finding Finding) { v.report(finding.ID, finding.Message, finding.Hint) })
}

// compileWith does the steps of an expression: limits, tokens, parser, our own reading of names, values, types, empty
// fields and ranges, then expr's checker and compiler. Our reading goes first, as it names every fault and not only the
// first.
func (s *scope) compileWith(text string, want kind, v value, report func(from, to int, finding Finding)) *expression {
	if length := runeLen(text); length > maxExpression {
		report(0, 1, Finding{ID: idTooLong, Message: fmt.Sprintf("the expression is longer than %d characters", maxExpression)})
		return nil
	}
	var faults []fault
	c := &check{scope: s, text: []rune(text), faults: &faults}
	config := s.vocabulary.newConfig()
	var tree *parser.Tree
	var meaning sense
	if c.readTokens(text) {
		var err error
		if tree, err = parser.ParseWithConfig(text, config); err != nil {
			c.syntaxError(text, err)
		} else {
			meaning = c.top(tree, want)
		}
	}
	if len(faults) > 0 {
		for _, f := range faults {
			report(f.from, f.to, Finding{ID: f.id, Message: f.message, Hint: f.hint})
		}
		return nil
	}
	program, err := assemble(tree, config, want)
	if err != nil {
		message, _, _ := strings.Cut(err.Error(), "\n")
		report(0, runeLen(text), Finding{ID: idType, Message: message})
		return nil
	}
	e := &expression{text: text, program: program, tree: tree.Node, within: meaning.interval, where: v}
	if s.vocabulary.trial != nil {
		return e // the engine judges customers only
	}
	if err := e.translatable(want); err != nil {
		report(0, runeLen(text), Finding{ID: idNotAllowed, Message: err.Error()})
		return nil
	}
	return e
}

// translatable tells what of the expression the engine has nothing for, which is nothing at all.
func (e *expression) translatable(want kind) error {
	t := &translator{}
	if want == kindYesNo {
		t.truth(e.tree)
	} else {
		t.number(e.tree)
	}
	return t.fault
}

// assemble has expr check the tree and make a program of it.
func assemble(tree *parser.Tree, config *conf.Config, want kind) (*vm.Program, error) {
	result, err := checker.Check(tree, config)
	if err != nil {
		return nil, fmt.Errorf("check the expression: %w", err)
	}
	if wanted := resultKind(want); result.Kind() != wanted {
		return nil, fmt.Errorf("the expression gives a %s and not a %s", result.Kind(), wanted)
	}
	program, err := compiler.Compile(tree, config)
	if err != nil {
		return nil, fmt.Errorf("compile the expression: %w", err)
	}
	return program, nil
}

func resultKind(want kind) reflect.Kind {
	if want == kindYesNo {
		return reflect.Bool
	}
	return reflect.Float64
}

// newConfig is how expr is set up for rules: the row as environment, six of its functions, two of ours. The optimiser
// stays off: it changes what an empty field means, and gains nothing here.
func newConfig() *conf.Config {
	return configOf(row{}) // of the struct, so that fields are read by index; programs run on a pointer to one
}

func configOf(env any) *conf.Config {
	config := conf.New(env)
	config.Optimize = false
	kept := conf.FunctionsTable{}
	for _, f := range builtin.Builtins {
		switch f.Name {
		case "abs", "ceil", "floor", "round", "min", "max":
			kept[f.Name] = f
		}
	}
	config.Builtins = kept
	expr.Function("ln", callLn, new(func(float64) float64))(config)
	expr.Function("safe_div", callSafeDiv, new(func(float64, float64, float64) float64))(config)
	return config
}

func callLn(arguments ...any) (any, error) {
	x, ok := arguments[0].(float64)
	if !ok {
		return nil, fmt.Errorf("ln of a %T", arguments[0])
	}
	return math.Log(x), nil
}

func callSafeDiv(arguments ...any) (any, error) {
	var numbers [3]float64
	for i := range numbers {
		number, ok := arguments[i].(float64)
		if !ok {
			return nil, fmt.Errorf("safe_div with a %T", arguments[i])
		}
		numbers[i] = number
	}
	if numbers[1] == 0 {
		return numbers[2], nil
	}
	return numbers[0] / numbers[1], nil
}

// truth runs a condition.
func (e *expression) truth(machine *vm.VM, r *row) (bool, error) {
	result, err := machine.Run(e.program, r)
	if err != nil {
		return false, fmt.Errorf("evaluate %s: %w", e.place(), err)
	}
	truth, ok := result.(bool)
	if !ok {
		return false, fmt.Errorf("evaluate %s: got a %T, not yes or no", e.place(), result)
	}
	return truth, nil
}

// number runs a formula.
func (e *expression) number(machine *vm.VM, r *row) (float64, error) {
	result, err := machine.Run(e.program, r)
	if err != nil {
		return 0, fmt.Errorf("evaluate %s: %w", e.place(), err)
	}
	number, ok := result.(float64)
	if !ok || math.IsNaN(number) {
		return 0, fmt.Errorf("evaluate %s: got %v, not a number", e.place(), result)
	}
	return number, nil
}

func (e *expression) place() string {
	return e.where.doc.file + ":" + strconv.Itoa(e.where.node.Line)
}
