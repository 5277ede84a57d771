package certs_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/certs"
)

func faults(reasons []certs.Reason) []certs.Fault {
	var all []certs.Fault
	for _, reason := range reasons {
		all = append(all, reason.Fault)
	}
	return all
}

// acceptableCase is a certificate that was minted by one spec and is judged by another.
type acceptableCase struct {
	of      string
	minted  func(*certs.Spec) // how what is there differs
	at      time.Time         // now, unless said
	minLeft time.Duration
	want    []certs.Fault
}

func acceptableCases(t *testing.T) map[string]acceptableCase {
	return map[string]acceptableCase{
		"the same":                 {of: certs.APIServer},
		"its last good second":     {of: certs.APIServer, at: now.Add(year - 30*day), minLeft: 30 * day},
		"too little left":          {of: certs.APIServer, at: now.Add(year - 30*day + time.Second), minLeft: 30 * day, want: []certs.Fault{certs.FaultExpiring}},
		"little left, none asked":  {of: certs.Kubelet, at: now.Add(year - time.Second)},
		"expired":                  {of: certs.Kubelet, at: now.Add(year + time.Second), want: []certs.Fault{certs.FaultExpired}},
		"a clock that is behind":   {of: certs.APIServer, at: now.Add(-4 * time.Minute)},
		"not yet valid":            {of: certs.APIServer, at: now.Add(-6 * time.Minute), want: []certs.Fault{certs.FaultNotYet}},
		"one name more":            {of: certs.APIServer, minted: func(s *certs.Spec) { s.DNSNames = append(s.DNSNames, "more.example.com") }},
		"one name less":            {of: certs.APIServer, minted: func(s *certs.Spec) { s.DNSNames = s.DNSNames[1:] }, want: []certs.Fault{certs.FaultNames}},
		"one address more":         {of: certs.EtcdPeer, minted: func(s *certs.Spec) { s.Addresses = append(s.Addresses, netip.MustParseAddr("203.0.113.1")) }},
		"one address less":         {of: certs.EtcdPeer, minted: func(s *certs.Spec) { s.Addresses = s.Addresses[1:] }, want: []certs.Fault{certs.FaultNames}},
		"another name":             {of: certs.Kubelet, minted: func(s *certs.Spec) { s.CommonName = "system:node:other" }, want: []certs.Fault{certs.FaultSubject}},
		"one group more":           {of: certs.Admin, minted: func(s *certs.Spec) { s.Organizations = append(s.Organizations, "system:masters") }, want: []certs.Fault{certs.FaultSubject}},
		"no group":                 {of: certs.Admin, minted: func(s *certs.Spec) { s.Organizations = nil }, want: []certs.Fault{certs.FaultSubject}},
		"another usage":            {of: certs.APIServer, minted: func(s *certs.Spec) { s.Usages = []certs.Usage{certs.ClientAuth} }, want: []certs.Fault{certs.FaultUsages}},
		"one usage more":           {of: certs.Admin, minted: func(s *certs.Spec) { s.Usages = append(s.Usages, certs.ServerAuth) }},
		"one usage less":           {of: certs.EtcdServer, minted: func(s *certs.Spec) { s.Usages = s.Usages[:1] }, want: []certs.Fault{certs.FaultUsages}},
		"another key algorithm":    {of: certs.APIServer, minted: func(s *certs.Spec) { s.KeyAlgorithm = "RSA-2048" }},
		"another of the CAs":       {of: certs.FrontProxyClient, minted: func(s *certs.Spec) { s.Authority = certs.Etcd }, want: []certs.Fault{certs.FaultAuthority}},
		"wrong in every way there": {of: certs.APIServer, at: now.Add(2 * year), minted: func(s *certs.Spec) { *s = specOf(t, certs.FrontProxyClient) }, want: []certs.Fault{certs.FaultAuthority, certs.FaultSubject, certs.FaultNames, certs.FaultUsages, certs.FaultExpired}},
	}
}

func TestAcceptable(t *testing.T) {
	pki := mintPKI(t)
	for name, test := range acceptableCases(t) {
		t.Run(name, func(t *testing.T) {
			want := specOf(t, test.of)
			minted := specOf(t, test.of)
			if test.minted != nil {
				test.minted(&minted)
			}
			at := test.at
			if at.IsZero() {
				at = now
			}
			authority, err := pki.Authority(want.Authority)
			if err != nil {
				t.Fatal(err)
			}
			reasons := certs.Acceptable(want, mintLeaf(t, pki, minted), authority.Cert, at, test.minLeft)
			if got := faults(reasons); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", reasons, test.want)
			}
			for _, reason := range reasons {
				if reason.Detail == "" {
					t.Errorf("%s says nothing", reason.Fault)
				}
			}
		})
	}
}

func TestAcceptableAuthorities(t *testing.T) {
	pki, other := mintPKI(t), mintPKI(t)
	t.Run("another cluster's", func(t *testing.T) {
		spec := specOf(t, certs.Admin)
		if got := faults(certs.Acceptable(spec, mintLeaf(t, other, spec), pki.CA.Cert, now, 0)); !slices.Equal(got, []certs.Fault{certs.FaultAuthority}) {
			t.Errorf("got %v", got)
		}
	})
	t.Run("either of two CAs", func(t *testing.T) {
		spec := specOf(t, certs.Admin)
		both := append(slices.Clone(other.CA.Cert), pki.CA.Cert...)
		if got := certs.Acceptable(spec, mintLeaf(t, pki, spec), both, now, 0); got != nil {
			t.Errorf("got %v", got)
		}
	})
	t.Run("a CA in its place", func(t *testing.T) {
		if got := faults(certs.Acceptable(specOf(t, certs.APIServer), pki.CA.Cert, pki.CA.Cert, now, 0)); !slices.Contains(got, certs.FaultCA) {
			t.Errorf("got %v", got)
		}
	})
	t.Run("no certificate at all", func(t *testing.T) {
		for _, text := range [][]byte{nil, []byte("nonsense"), pki.CA.Key, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")} {
			if got := faults(certs.Acceptable(specOf(t, certs.APIServer), text, pki.CA.Cert, now, 0)); !slices.Equal(got, []certs.Fault{certs.FaultUnreadable}) {
				t.Errorf("%q: got %v", text, got)
			}
		}
	})
}

func TestMinLeft(t *testing.T) {
	for validity, want := range map[time.Duration]time.Duration{
		year: 30 * day, decade: 30 * day, 150 * day: 30 * day, 100 * day: 20 * day, time.Hour: 12 * time.Minute,
	} {
		if got := certs.MinLeft(validity); got != want {
			t.Errorf("of %s: %s, want %s", validity, got, want)
		}
	}
}
