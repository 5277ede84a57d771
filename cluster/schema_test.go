package cluster

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

// schema is as much of JSON schema as schema.json uses.
type schema struct {
	Description string             `json:"description"`
	Ref         string             `json:"$ref"`
	Type        string             `json:"type"`
	Const       any                `json:"const"`
	Enum        []string           `json:"enum"`
	Pattern     string             `json:"pattern"`
	MinLength   int                `json:"minLength"`
	MaxLength   int                `json:"maxLength"`
	Minimum     int                `json:"minimum"`
	Maximum     int                `json:"maximum"`
	Default     any                `json:"default"`
	Items       *schema            `json:"items"`
	MinItems    int                `json:"minItems"`
	MaxItems    int                `json:"maxItems"`
	UniqueItems bool               `json:"uniqueItems"`
	Properties  map[string]*schema `json:"properties"`
	Required    []string           `json:"required"`
	Additional  *additional        `json:"additionalProperties"`
	OneOf       []*schema          `json:"oneOf"`
	AllOf       []*schema          `json:"allOf"`
	If          *schema            `json:"if"`
	Then        *schema            `json:"then"`
	Else        *schema            `json:"else"`
	Definitions map[string]*schema `json:"definitions"`
}

// additional is what an object's further fields must be: a schema, or false for none at all.
type additional struct{ of *schema }

func (a *additional) UnmarshalJSON(text []byte) error {
	if string(text) == "false" {
		return nil
	}
	return json.Unmarshal(text, &a.of)
}

var fileSchema = sync.OnceValue(func() *schema {
	decoder := json.NewDecoder(bytes.NewReader(Schema()))
	decoder.DisallowUnknownFields()
	var head struct {
		Dialect string `json:"$schema"`
		Title   string `json:"title"`
		schema
	}
	if err := decoder.Decode(&head); err != nil {
		panic(err)
	}
	return &head.schema
})

func definitions() map[string]*schema { return fileSchema().Definitions }

// TestSchemaSaysWhatValidationSays: patterns, choices and defaults are those of the code.
func TestSchemaSaysWhatValidationSays(t *testing.T) {
	property := func(definition, name string) *schema {
		found := definitions()[definition].Properties[name]
		if found == nil {
			t.Fatalf("the schema has no %s.%s", definition, name)
		}
		return found
	}
	for _, test := range []struct {
		definition, name string
		got              func(*schema) any
		want             any
	}{
		{"Cluster", "apiVersion", constant, APIVersion},
		{"Cluster", "kind", constant, Kind},
		{"Cluster", "id", pattern, idForm.String()},
		{"Cluster", "kubernetesVersion", fallback, DefaultKubernetesVersion},
		{"Cluster", "imageRepository", fallback, DefaultImageRepository},
		{"Endpoint", "mode", choices, endpointModes},
		{"VRRP", "interface", pattern, interfaceForm.String()},
		{"Networking", "podSubnets", fallback, []any{DefaultPodSubnet}},
		{"Networking", "serviceSubnets", fallback, []any{DefaultServiceSubnet}},
		{"Networking", "dnsDomain", fallback, DefaultDNSDomain},
		{"Networking", "addOn", choices, []string{AddOnFlannel, AddOnNone}},
		{"Networking", "addOn", fallback, AddOnFlannel},
		{"Host", "hostname", choices, []string{HostnameKeep}},
		{"Taint", "effect", choices, effects},
		{"SSH", "port", fallback, float64(DefaultSSHPort)},
		{"SSH", "user", fallback, DefaultSSHUser},
		{"SSH", "connectTimeout", fallback, DefaultConnectTimeout.String()},
		{"Certificates", "validity", fallback, DefaultValidity.String()},
		{"Certificates", "caValidity", fallback, DefaultCAValidity.String()},
		{"Certificates", "keyAlgorithm", fallback, DefaultKeyAlgorithm},
		{"Certificates", "keyAlgorithm", choices, keyAlgorithms},
		{"Drain", "timeout", fallback, DefaultDrainTimeout.String()},
		{"Drain", "forceAfter", fallback, DefaultForceAfter.String()},
		{"Drain", "onBlocked", fallback, string(DefaultOnBlocked)},
		{"Drain", "onBlocked", choices, OnBlockedChoices},
		{"Upgrade", "keepVersions", fallback, float64(DefaultKeepVersions)},
		{"Timeouts", "controlPlaneComponentHealthCheck", fallback, DefaultComponentHealthCheck.String()},
		{"Timeouts", "kubeletHealthCheck", fallback, DefaultKubeletHealthCheck.String()},
		{"Timeouts", "kubernetesAPICall", fallback, DefaultKubernetesAPICall.String()},
		{"Timeouts", "etcdAPICall", fallback, DefaultEtcdAPICall.String()},
		{"Timeouts", "withoutProgress", fallback, DefaultWithoutProgress.String()},
		{"Timeouts", "limit", fallback, DefaultLimit.String()},
		{"Upgrade", "workersAtOnce", pattern, atOnceForm.String()},
		{"Arg", "name", pattern, flagForm.String()},
		{"HostPathMount", "pathType", choices, PathTypes},
	} {
		if got := test.got(property(test.definition, test.name)); !reflect.DeepEqual(got, test.want) {
			t.Errorf("the schema says %v of %s.%s, the code %v", got, test.definition, test.name, test.want)
		}
	}
	if got := property("Host", "roles").Items.Enum; !slices.Equal(got, allRoles) {
		t.Errorf("the schema has the roles %v, the code %v", got, allRoles)
	}
	if kinds := fileSchema().If.Properties["kind"].Enum; !slices.Equal(kinds, []string{KubeletKind, KubeProxyKind}) {
		t.Errorf("the schema lets %v follow the cluster", kinds)
	}
	if versions := fileSchema().Then.Properties["apiVersion"].Enum; !slices.Equal(versions, []string{KubeletAPIVersion, KubeProxyAPIVersion}) {
		t.Errorf("the schema knows the versions %v of the further documents", versions)
	}
}

func constant(s *schema) any { return s.Const }
func pattern(s *schema) any  { return s.Pattern }
func choices(s *schema) any  { return s.Enum }
func fallback(s *schema) any { return s.Default }

// Every field of the Go types must be in the schema, described and of the right type, and
// nothing else.
func TestSchemaHasTheTypesFields(t *testing.T) {
	all := definitions()
	checked := map[string]bool{}
	var check func(reflect.Type)
	check = func(structure reflect.Type) {
		if checked[structure.Name()] {
			return
		}
		checked[structure.Name()] = true
		definition := all[structure.Name()]
		if definition == nil {
			t.Errorf("the schema does not define %s", structure.Name())
			return
		}
		fields := typesOf(structure)
		for name, kind := range fields {
			property := definition.Properties[name]
			if property == nil {
				t.Errorf("%s.%s is not in the schema", structure.Name(), name)
				continue
			}
			if property.Description == "" {
				t.Errorf("%s.%s is not described", structure.Name(), name)
			}
			if got, want := shape(property), wantShape(kind); got != want {
				t.Errorf("%s.%s is %s in the schema, %s in Go", structure.Name(), name, got, want)
			}
			if element := structIn(kind); element != nil {
				check(element)
			}
		}
		for name := range definition.Properties {
			if _, ok := fields[name]; !ok {
				t.Errorf("the schema's %s.%s is not in Go", structure.Name(), name)
			}
		}
		if definition.Additional == nil || definition.Additional.of != nil {
			t.Errorf("the schema's %s takes unknown fields", structure.Name())
		}
	}
	check(reflect.TypeFor[Cluster]())
	checked["Duration"] = true
	for name := range all {
		if !checked[name] {
			t.Errorf("the schema's %s is used by no type", name)
		}
	}
}

// typesOf gives a struct's JSON fields, and the one-element forms, with their types.
func typesOf(structure reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for name, value := range fieldsOf(reflect.New(structure).Elem()) {
		fields[name] = value.Type()
	}
	for short, long := range singles[structure] {
		fields[short] = fields[long].Elem()
	}
	return fields
}

func structIn(kind reflect.Type) reflect.Type {
	if kind.Kind() == reflect.Slice || kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	if kind.Kind() == reflect.Struct {
		return kind
	}
	return nil
}

func wantShape(kind reflect.Type) string {
	switch {
	case kind == reflect.TypeFor[Duration]():
		return "#Duration"
	case kind.Kind() == reflect.Pointer:
		return wantShape(kind.Elem())
	case kind.Kind() == reflect.Slice:
		return "array of " + wantShape(kind.Elem())
	case kind.Kind() == reflect.Map:
		return "object of " + wantShape(kind.Elem())
	case kind.Kind() == reflect.Struct:
		return "#" + kind.Name()
	case kind.Kind() == reflect.Int:
		return "integer"
	case kind.Kind() == reflect.Bool:
		return "boolean"
	}
	return kind.Kind().String()
}

func shape(s *schema) string {
	switch {
	case s.Ref != "":
		return "#" + strings.TrimPrefix(s.Ref, "#/definitions/")
	case len(s.AllOf) == 1:
		return shape(s.AllOf[0])
	case len(s.OneOf) == 2 && s.OneOf[0].Type == "string": // the one-text form
		return shape(s.OneOf[1])
	case s.Type == "array":
		return "array of " + shape(s.Items)
	case s.Type == "object":
		if s.Additional != nil && s.Additional.of != nil {
			return "object of " + shape(s.Additional.of)
		}
	}
	return s.Type
}

func TestFilesFitTheSchema(t *testing.T) {
	for name, file := range map[string]string{"example": string(Example()), "minimal": minimal, "full": full, "outside": outside, "balanced": balanced, "dual": dual, "completed": completed(t)} {
		for i, document := range plainDocuments(t, file) {
			for _, problem := range violations(fileSchema(), document, fmt.Sprintf("%s[%d]", name, i)) {
				t.Error(problem)
			}
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	for name, change := range map[string]func(map[string]any){
		"an unknown field":     func(c map[string]any) { c["hots"] = 1 },
		"no name":              func(c map[string]any) { delete(c, "name") },
		"a name in upper case": func(c map[string]any) { c["name"] = "Example" },
		"no hosts":             func(c map[string]any) { c["hosts"] = []any{} },
		"a port that is text":  func(c map[string]any) { c["endpoint"] = map[string]any{"port": "6443"} },
		"a port beyond all":    func(c map[string]any) { c["endpoint"] = map[string]any{"port": int64(65536)} },
		"three subnets": func(c map[string]any) {
			c["networking"] = map[string]any{"podSubnets": []any{"10.0.0.0/16", "fd00::/56", "10.1.0.0/16"}}
		},
		"a subnet without a length": func(c map[string]any) { c["networking"] = map[string]any{"podSubnet": "fd00::"} },
		"a name for an address": func(c map[string]any) {
			c["hosts"].([]any)[0].(map[string]any)["address"] = "cafe.example.com"
		},
		"an unknown mode": func(c map[string]any) { c["endpoint"] = map[string]any{"mode": "keepalived"} },
		"a router beyond all": func(c map[string]any) {
			c["endpoint"] = map[string]any{"vrrp": map[string]any{"routerID": int64(256)}}
		},
		"an interface with a space": func(c map[string]any) {
			c["endpoint"] = map[string]any{"vrrp": map[string]any{"interface": "eth 0"}}
		},
		"an external etcd without its files": func(c map[string]any) {
			c["etcd"] = map[string]any{"external": map[string]any{"endpoints": []any{"https://192.0.2.31:2379"}}}
		},
		"an etcd in clear text": func(c map[string]any) {
			c["etcd"] = map[string]any{"external": map[string]any{
				"endpoints": []any{"http://192.0.2.31:2379"}, "caFile": "a", "certFile": "b", "keyFile": "c"}}
		},
		"an unknown key algorithm":                 func(c map[string]any) { c["certificates"] = map[string]any{"keyAlgorithm": "RSA"} },
		"an unknown way on":                        func(c map[string]any) { c["drain"] = map[string]any{"onBlocked": "hope"} },
		"no worker at once":                        func(c map[string]any) { c["upgrade"] = map[string]any{"workersAtOnce": "0%"} },
		"no version kept":                          func(c map[string]any) { c["upgrade"] = map[string]any{"keepVersions": int64(0)} },
		"a timeout of kubeadm's that is none here": func(c map[string]any) { c["timeouts"] = map[string]any{"discovery": "5m"} },
		"a duration without a unit":                func(c map[string]any) { c["certificates"] = map[string]any{"validity": "8760"} },
		"address and addresses": func(c map[string]any) {
			c["hosts"].([]any)[0].(map[string]any)["addresses"] = []any{"192.0.2.1"}
		},
		"neither address nor addresses": func(c map[string]any) { delete(c["hosts"].([]any)[0].(map[string]any), "address") },
		"a label that is a number": func(c map[string]any) {
			c["hosts"].([]any)[0].(map[string]any)["labels"] = map[string]any{"a": int64(1)}
		},
	} {
		document := plainDocuments(t, minimal)[0].(map[string]any)
		change(document)
		if len(violations(fileSchema(), document, "")) == 0 {
			t.Errorf("the schema takes %s", name)
		}
	}
}

func completed(t *testing.T) string {
	t.Helper()
	text, err := Marshal(load(t, minimal))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func plainDocuments(t *testing.T, file string) []any {
	t.Helper()
	found, err := documents([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	var plain []any
	for _, tree := range newDecoder().resolve(found) {
		plain = append(plain, tree.plain())
	}
	return plain
}
