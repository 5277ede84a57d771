package cluster

// The words that schemas are made of.

func object(description string, properties map[string]*schema, required ...string) *schema {
	return &schema{Type: "object", Description: description, Properties: properties, Required: required, Additional: false}
}

func text(description, fallback string) *schema {
	s := &schema{Type: "string", Description: description}
	if fallback != "" {
		s.Default = fallback
	}
	return s
}

func port(description string, fallback int) *schema {
	return &schema{Type: "integer", Minimum: 1, Maximum: 65535, Default: fallback, Description: description}
}

func list(items *schema, description string) *schema {
	return &schema{Type: "array", Items: items, Description: description}
}

// ref points to a definition. In draft 07 nothing may stand beside a $ref, so what is
// described is wrapped.
func ref(name, description string) *schema {
	pointer := &schema{Ref: "#/definitions/" + name}
	if description == "" {
		return pointer
	}
	return &schema{Description: description, AllOf: []*schema{pointer}}
}

func duration(description string, fallback Duration) *schema {
	s := ref("Duration", description)
	s.Default = fallback.String()
	return s
}

func (s *schema) pattern(pattern string) *schema { s.Pattern = pattern; return s }

func (s *schema) oneOf(values ...string) *schema { s.Enum = values; return s }

func (s *schema) atLeast(items int) *schema { s.MinItems = items; return s }

func (s *schema) unique() *schema { s.UniqueItems = true; return s }

// exactlyOne is what a list that dual stack will make longer may hold for now.
func (s *schema) exactlyOne(fallback string) *schema {
	s.MinItems, s.MaxItems = 1, 1
	if fallback != "" {
		s.Default = []string{fallback}
	}
	return s
}
