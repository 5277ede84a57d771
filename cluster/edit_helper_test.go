package cluster

import (
	"reflect"

	"github.com/google/go-cmp/cmp/cmpopts"
)

func reflectOf(value any) reflect.Value { return reflect.ValueOf(value).Elem() }

// empties are the same as nothing.
var empties = cmpopts.EquateEmpty()
