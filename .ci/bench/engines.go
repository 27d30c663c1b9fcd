package main

import (
	"fmt"
	"math"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	shipped "github.com/retentionops/retentionops/rules"
)

// rules is the rulebook's engine with the shipped files.
func rules() (way, error) {
	book, err := rulebook.Load(shipped.FS)
	if err != nil {
		return way{}, fmt.Errorf("load the rules: %w", err)
	}
	median, err := functions.ParseMoney("625")
	if err != nil {
		return way{}, err
	}
	return way{name: "**the rulebook's engine**", judge: book.NewJudge(median).Judge}, nil
}

// environment is a customer as both engines see it.
type environment struct {
	Status             string  `expr:"retention_status"`
	RiskLevel          string  `expr:"churn_risk_level"`
	Days               float64 `expr:"days_since_last_order"`
	Revenue            float64 `expr:"total_revenue"`
	FrequencyDrop      bool    `expr:"is_frequency_drop"`
	StatusInconsistent bool    `expr:"is_status_inconsistent"`
	ValueDrop          bool    `expr:"is_value_drop"`
}

func (e *environment) load(c *retention.Customer) {
	cents, _ := amounts(c.TotalRevenue.V)
	e.Status, e.RiskLevel, e.Days, e.Revenue = c.Status.V, c.RiskLevel.V, float64(c.DaysSinceLastOrder.V), float64(cents)/100
	e.FrequencyDrop, e.StatusInconsistent, e.ValueDrop = c.FrequencyDrop.V, c.StatusInconsistent.V, c.ValueDrop.V
}

// byExpr is expr's machine, one for all customers, on a pointer to one struct.
func byExpr() (way, error) {
	ln := expr.Function("ln", func(arguments ...any) (any, error) {
		x, ok := arguments[0].(float64)
		if !ok {
			return nil, fmt.Errorf("ln of a %T", arguments[0])
		}
		return math.Log(x), nil
	}, new(func(float64) float64))
	compile := func(texts []string, kind expr.Option) ([]*vm.Program, error) {
		var programs []*vm.Program
		for _, text := range texts {
			program, err := expr.Compile(text, expr.Env(environment{}), ln, kind)
			if err != nil {
				return nil, fmt.Errorf("compile %s: %w", text, err)
			}
			programs = append(programs, program)
		}
		return programs, nil
	}
	whether, err := compile(conditions, expr.AsBool())
	if err != nil {
		return way{}, err
	}
	points, err := compile(formulas, expr.AsFloat64())
	if err != nil {
		return way{}, err
	}
	var machine vm.VM
	var env environment
	s := &scripted{load: env.load, keep: map[string]string{}}
	s.truth = func(condition int) (bool, error) { return result[bool](machine.Run(whether[condition], &env)) }
	s.number = func(formula int) (float64, error) { return result[float64](machine.Run(points[formula], &env)) }
	return way{name: "expr's machine, v1.17.8", judge: s.judge}, nil
}

func result[T any](value any, err error) (T, error) {
	typed, ok := value.(T)
	if err == nil && !ok {
		err = fmt.Errorf("got a %T", value)
	}
	return typed, err
}

// ResolveName implements cel's Activation.
func (e *environment) ResolveName(name string) (any, bool) {
	switch name {
	case "retention_status":
		return e.Status, true
	case "churn_risk_level":
		return e.RiskLevel, true
	case "days_since_last_order":
		return e.Days, true
	case "total_revenue":
		return e.Revenue, true
	case "is_frequency_drop":
		return e.FrequencyDrop, true
	case "is_status_inconsistent":
		return e.StatusInconsistent, true
	case "is_value_drop":
		return e.ValueDrop, true
	}
	return nil, false
}

// Parent implements cel's Activation.
func (*environment) Parent() interpreter.Activation { return nil }

// byCel is cel-go, with an activation of our own that makes no map.
func byCel() (way, error) {
	cels, err := cel.NewEnv(
		cel.Variable("retention_status", cel.StringType), cel.Variable("churn_risk_level", cel.StringType),
		cel.Variable("days_since_last_order", cel.DoubleType), cel.Variable("total_revenue", cel.DoubleType),
		cel.Variable("is_frequency_drop", cel.BoolType), cel.Variable("is_status_inconsistent", cel.BoolType),
		cel.Variable("is_value_drop", cel.BoolType),
		cel.Function("ln", cel.Overload("ln_double", []*cel.Type{cel.DoubleType}, cel.DoubleType, cel.UnaryBinding(func(x ref.Val) ref.Val {
			number, ok := x.(types.Double)
			if !ok {
				return types.NewErr("ln of a %T", x)
			}
			return types.Double(math.Log(float64(number)))
		}))),
	)
	if err != nil {
		return way{}, fmt.Errorf("set up cel-go: %w", err)
	}
	compile := func(texts []string) ([]cel.Program, error) {
		var programs []cel.Program
		for _, text := range texts {
			tree, issues := cels.Compile(text)
			if issues.Err() != nil {
				return nil, fmt.Errorf("compile %s: %w", text, issues.Err())
			}
			program, err := cels.Program(tree, cel.EvalOptions(cel.OptOptimize))
			if err != nil {
				return nil, fmt.Errorf("compile %s: %w", text, err)
			}
			programs = append(programs, program)
		}
		return programs, nil
	}
	whether, err := compile(conditions)
	if err != nil {
		return way{}, err
	}
	points, err := compile(formulas)
	if err != nil {
		return way{}, err
	}
	var env environment
	s := &scripted{load: env.load, keep: map[string]string{}}
	s.truth = func(condition int) (bool, error) {
		value, _, err := whether[condition].Eval(&env)
		truth, err := result[types.Bool](value, err)
		return bool(truth), err
	}
	s.number = func(formula int) (float64, error) {
		value, _, err := points[formula].Eval(&env)
		number, err := result[types.Double](value, err)
		return float64(number), err
	}
	return way{name: "cel-go v0.33.2", judge: s.judge}, nil
}
