package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/slipway-k8s/slipway/workflow"
)

// addOption makes a flag of a workflow's option; what the request has already is its default.
func addOption(flags *pflag.FlagSet, option workflow.Option, request *workflow.Request) {
	switch at := option.Of(request).(type) {
	case *bool:
		flags.BoolVar(at, option.Name, *at, option.Usage)
	case *int:
		flags.IntVar(at, option.Name, *at, option.Usage)
	case *string:
		flags.StringVar(at, option.Name, *at, option.Usage)
	case *[]string:
		flags.StringSliceVar(at, option.Name, *at, option.Usage)
	case *time.Duration:
		flags.DurationVar(at, option.Name, *at, option.Usage)
	case **int:
		flags.Var(optional[int]{at, "int", wholeNumber}, option.Name, option.Usage)
	case **time.Duration:
		flags.Var(optional[time.Duration]{at, "duration", time.ParseDuration}, option.Name, option.Usage)
	default:
		panic(fmt.Sprintf("--%s: no flag can be made of a %T", option.Name, at)) // a test makes all of them
	}
}

// wholeNumber reads seconds, and says so to one who writes 20m.
func wholeNumber(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err == nil {
		return n, nil
	}
	such := 1200
	if d, err := time.ParseDuration(text); err == nil {
		such = int(d / time.Second)
	}
	return 0, fmt.Errorf("say seconds, such as %d", such)
}

// optional is the value of a flag that stays nil until it is said.
type optional[T any] struct {
	at   **T
	kind string
	read func(string) (T, error)
}

func (o optional[T]) Set(text string) error {
	value, err := o.read(text)
	if err == nil {
		*o.at = &value
	}
	return err
}

func (o optional[T]) String() string {
	if o.at == nil || *o.at == nil { // pflag asks a zero value too
		return ""
	}
	return fmt.Sprint(**o.at)
}

func (o optional[T]) Type() string { return o.kind }
