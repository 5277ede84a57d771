package cluster

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// violations checks a value against as much of JSON schema as ours uses.
func violations(s *schema, value any, at string) []string {
	if s.Ref != "" {
		return violations(definitions()[strings.TrimPrefix(s.Ref, "#/definitions/")], value, at)
	}
	var found []string
	wrong := func(format string, args ...any) { found = append(found, at+": "+fmt.Sprintf(format, args...)) }
	if s.Type != "" && !isOfType(value, s.Type) {
		wrong("%v is not %s", value, s.Type)
		return found
	}
	if s.Const != nil && value != s.Const {
		wrong("%v is not %v", value, s.Const)
	}
	switch value := value.(type) {
	case string:
		if s.Enum != nil && !slices.Contains(s.Enum, value) || s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(value) ||
			s.MaxLength > 0 && len(value) > s.MaxLength || len(value) < s.MinLength {
			wrong("%q does not fit", value)
		}
	case int64:
		if s.Maximum > 0 && (value < int64(s.Minimum) || value > int64(s.Maximum)) {
			wrong("%d is out of bounds", value)
		}
	case []any:
		if len(value) < s.MinItems || s.MaxItems > 0 && len(value) > s.MaxItems {
			wrong("has %d items", len(value))
		}
		for i, item := range value {
			if s.Items != nil {
				found = append(found, violations(s.Items, item, index(at, i))...)
			}
			if s.UniqueItems && slices.Contains(value[:i], item) {
				wrong("%v is there twice", item)
			}
		}
	case map[string]any:
		found = append(found, objectViolations(s, value, at)...)
	}
	return append(found, combined(s, value, at)...)
}

func objectViolations(s *schema, value map[string]any, at string) []string {
	var found []string
	for _, name := range s.Required {
		if _, ok := value[name]; !ok {
			found = append(found, at+": "+name+" is missing")
		}
	}
	for name, field := range value {
		if property, ok := s.Properties[name]; ok {
			found = append(found, violations(property, field, child(at, name))...)
			continue
		}
		switch {
		case s.Additional == nil:
		case s.Additional.of == nil:
			found = append(found, at+": "+name+" is not known")
		default:
			found = append(found, violations(s.Additional.of, field, child(at, name))...)
		}
	}
	return found
}

func combined(s *schema, value any, at string) []string {
	var found []string
	for _, all := range s.AllOf {
		found = append(found, violations(all, value, at)...)
	}
	fits := 0
	for _, one := range s.OneOf {
		if len(violations(one, value, at)) == 0 {
			fits++
		}
	}
	if s.OneOf != nil && fits != 1 {
		found = append(found, fmt.Sprintf("%s: %d of oneOf fit", at, fits))
	}
	if s.If != nil {
		branch := s.Else
		if len(violations(s.If, value, at)) == 0 {
			branch = s.Then
		}
		found = append(found, violations(branch, value, at)...)
	}
	return found
}

func isOfType(value any, name string) bool {
	switch value.(type) {
	case string:
		return name == "string"
	case int64:
		return name == "integer"
	case bool:
		return name == "boolean"
	case []any:
		return name == "array"
	case map[string]any:
		return name == "object"
	}
	return false
}
