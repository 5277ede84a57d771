package cluster

import (
	"errors"
	"strings"
	"testing"
)

// TestEveryFieldIsAsStrictAsItsReader goes through the validated fields: what the system
// takes that will read the value passes, what it does not is told at the field.
func TestEveryFieldIsAsStrictAsItsReader(t *testing.T) {
	top := func(text string) string { return one + text + "\n" }
	host := func(text string) string { return one + "    " + text + "\n" }
	external := func(host string) string {
		return top("etcd: {external: {endpoints: ['https://" + host + ":2379'], caFile: a, certFile: b, keyFile: c}}")
	}
	for name, test := range map[string]struct {
		file string
		path string // of the only problem; "": it is valid
		says string
	}{
		"user of a directory":             {top("ssh: {user: jdoe@corp.example.com}"), "", ""},
		"user of a domain":                {top(`ssh: {user: 'CORP\jdoe'}`), "", ""},
		"user of a gateway":               {top("ssh: {user: 'jdoe:db-1/root'}"), "", ""},
		"user with umlauts":               {top("ssh: {user: jörg}"), "", ""},
		"user that is an option":          {host("ssh: {user: -oProxyCommand=x}"), "hosts[0].ssh.user", "begins with a dash"},
		"user for a shell":                {host("ssh: {user: 'a;reboot'}"), "hosts[0].ssh.user", "has a ; in it"},
		"user with a substitution":        {host("ssh: {user: 'a$(id)'}"), "hosts[0].ssh.user", "has a ( in it"},
		"user with a newline":             {host(`ssh: {user: "a\nb"}`), "hosts[0].ssh.user", "control character"},
		"user that ends with a backslash": {host(`ssh: {user: 'CORP\'}`), "hosts[0].ssh.user", "ends with a backslash"},
		"SSH by a name":                   {host("ssh: {host: Node_1.corp}"), "", ""},
		"SSH by an address with a slip":   {host("ssh: {host: 10.0.0.300}"), "hosts[0].ssh.host", "nothing but digits and dots"},
		"SSH by a zoned address":          {host("ssh: {host: 'fe80::1%eth0'}"), "", ""},

		"root by doas":            {top("ssh: {become: doas}"), "", ""},
		"root by nothing that is": {host("ssh: {become: su}"), "hosts[0].ssh.become", "write one of sudo, doas, none"},

		"host name kept":       {host("hostname: keep"), "", ""},
		"host name of its own": {host("hostname: web-1"), "hosts[0].hostname", "write keep"},

		"endpoint in upper case":         {top("endpoint: {host: API.Example.COM}"), "", ""},
		"endpoint with the last dot":     {top("endpoint: {host: api.example.com.}"), "", ""},
		"endpoint with a slip":           {top("endpoint: {host: 10.0.0.300}"), "endpoint.host", "write four numbers from 0 to 255"},
		"endpoint with a number too few": {top("endpoint: {host: 10.0.0}"), "endpoint.host", "write four numbers"},
		"endpoint with leading zeros":    {top("endpoint: {host: 010.0.0.1}"), "endpoint.host", "without leading zeros"},
		"endpoint of digits and a name":  {top("endpoint: {host: 10.0.0.example}"), "", ""},
		"endpoint of one host alone":     {top("endpoint: {host: 'fe80::1%eth0'}"), "endpoint.host", "neither"},
		"virtual address with a slip":    {top("endpoint: {mode: vip, host: api.corp, address: 192.0.2.256}"), "endpoint.address", "write four numbers"},
		"external in the Pod subnet":     {top("endpoint: {mode: external, host: 10.244.1.1}"), "endpoint.host", "inside the Pod subnet"},
		"address with a slip":            {strings.Replace(one, "192.0.2.11", "192.0.2.511", 1), "hosts[0].address", "write four numbers"},
		"etcd in upper case":             {external("ETCD-1.corp"), "", ""},
		"etcd with a slip":               {external("10.0.0.300"), "etcd.external.endpoints[0]", "nothing but digits"},
		"etcd in the Service subnet":     {external("10.96.3.4"), "etcd.external.endpoints[0]", "inside the Service subnet"},

		"names of certificates":             {top("certificates: {extraSANs: [API.Example.com, '*.K8s.corp', '2001:DB8::1']}"), "", ""},
		"names twice but for their case":    {top("certificates: {extraSANs: [api.corp, API.corp]}"), "certificates.extraSANs[1]", "given twice"},
		"an address of certificates, wrong": {top("certificates: {extraSANs: [10.0.0.300]}"), "certificates.extraSANs[0]", "nothing but digits"},
		"an address that certs cannot have": {top("certificates: {extraSANs: ['fe80::1%eth0']}"), "certificates.extraSANs[0]", "neither"},
		"DNS domain in upper case":          {top("networking: {dnsDomain: Cluster.Local.}"), "", ""},
		"repository in upper case":          {top("imageRepository: Registry.Example.com:5000/k8s"), "", ""},
		"repository at an address":          {top("imageRepository: '[2001:db8::5]:5000/k8s'"), "", ""},
		"repository with an upper path":     {top("imageRepository: registry.example.com/K8s"), "imageRepository", "can begin"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(problemsIn(test.file), "\n")
			if test.path == "" && got != "" {
				t.Errorf("refused: %s", got)
			}
			if test.path != "" && (!strings.Contains(got, test.path+": ") || !strings.Contains(got, test.says) || strings.Contains(got, "\n")) {
				t.Errorf("got %q, want one problem at %s that says %q", got, test.path, test.says)
			}
		})
	}
}

// TestNamesAreWrittenInOneForm: kubeadm's own configuration, which is made of these, refuses
// upper case and a dot at the end.
func TestNamesAreWrittenInOneForm(t *testing.T) {
	c := load(t, one+"endpoint: {host: API.Example.COM.}\nnetworking: {dnsDomain: K8s.Corp.}\ncertificates: {extraSANs: [Web.Corp]}\n")
	if c.Endpoint.Host != "api.example.com" || c.Networking.DNSDomain != "k8s.corp" || c.Certificates.ExtraSANs[0] != "web.corp" {
		t.Errorf("got %q, %q, %q", c.Endpoint.Host, c.Networking.DNSDomain, c.Certificates.ExtraSANs)
	}
}

// problemsIn are the problems of a file; none where it is valid.
func problemsIn(text string) []string {
	_, err := Load([]byte(text))
	var invalid *Invalid
	if !errors.As(err, &invalid) {
		return nil
	}
	var lines []string
	for _, problem := range invalid.Problems {
		lines = append(lines, problem.String())
	}
	return lines
}
