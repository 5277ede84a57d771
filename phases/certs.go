package phases

import (
	"bytes"
	"path"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// notAcceptable says why what lies at a certificate's, key's or kubeconfig's path can
// not stay; "" where it can, whoever made it. Signatures are checked once.
func (h *hostDraft) notAcceptable(want manifests.File) string {
	why, judged := h.judged[want.Path]
	if !judged {
		why = h.judge(want)
		h.judged[want.Path] = why
	}
	return why
}

func (h *hostDraft) judge(want manifests.File) string {
	switch {
	case want.Kubeconfig:
		return h.kubeconfigFaults(want)
	case want.CertPath != "": // a key stays as long as its certificate does
		for _, file := range h.state.Files {
			if file.Path == want.CertPath {
				return h.notAcceptable(file)
			}
		}
		return "its certificate is not Slipway's"
	case want.Leaf != nil:
		return h.pairFaults(want)
	}
	return "Slipway has no rule by which to accept it"
}

// pairFaults judges a certificate and its key.
func (h *hostDraft) pairFaults(want manifests.File) string {
	have, there := h.facts.Certificates[want.Path]
	switch {
	case !there:
		return "no certificate"
	case want.KeyPath != "" && !have.KeyPresent:
		return "its key is absent"
	case want.KeyPath != "" && !have.KeyMatches:
		return "its key is another certificate's"
	}
	return h.leafFaults(want, have.PEM)
}

// kubeconfigFaults judges a kubeconfig. root's is a link to the administrator's, and who
// uses it adds clusters and changes the current context: any context may be the right one.
func (h *hostDraft) kubeconfigFaults(want manifests.File) string {
	have, there := h.facts.Kubeconfigs[want.Path]
	if !there {
		return "no kubeconfig"
	}
	why := h.contextFaults(want, have)
	for _, other := range have.Others {
		if why != "" && h.contextFaults(want, other) == "" {
			return ""
		}
	}
	return why
}

// contextFaults judges one context: where it leads, whom it trusts, who it says it is.
func (h *hostDraft) contextFaults(want manifests.File, have hosts.Kubeconfig) string {
	switch {
	case have.Invalid != "":
		return have.Invalid
	case have.Server != want.Server:
		return "leads to " + have.Server + ", want " + want.Server
	case !bytes.Equal(bytes.TrimSpace(have.CA), bytes.TrimSpace(want.CA)):
		return "trusts another CA"
	}
	if want.Leaf == nil {
		return ""
	}
	if !have.KeyMatches {
		return "its key is another certificate's"
	}
	return h.leafFaults(want, have.Cert)
}

// leafFaults judges a certificate by the catalogue.
func (h *hostDraft) leafFaults(want manifests.File, pem []byte) string {
	authority, err := h.in.PKI.Authority(want.Leaf.Authority)
	if err != nil {
		return err.Error()
	}
	var faults []string
	for _, reason := range certs.Acceptable(*want.Leaf, pem, authority.Cert, h.in.Now, h.minLeft(want.Leaf.Name)) {
		faults = append(faults, reason.Detail)
	}
	return strings.Join(faults, "; ")
}

// minLeft is how much life a certificate must have left: none for a kubelet's, which
// the kubelet rotates by itself.
func (h *hostDraft) minLeft(leaf string) time.Duration {
	if leaf == certs.Kubelet {
		return 0
	}
	return certs.MinLeft(time.Duration(h.in.Cluster.Certificates.Validity))
}

// findReseeds notes the seeds that have to be written anew: where a kubeconfig names a
// certificate's file, and that certificate is no good any more (a kubelet that was off
// for too long to rotate it), nothing but a new one helps.
func (h *hostDraft) findReseeds() {
	for _, file := range h.state.Files {
		have, there := h.facts.Kubeconfigs[file.Path]
		if !file.Kubeconfig || !there || have.CertFile == "" || file.Leaf == nil {
			continue
		}
		if have.KeyMatches && h.leafFaults(file, have.Cert) == "" {
			continue
		}
		h.reseedBeside(have)
	}
}

func (h *hostDraft) reseedBeside(have hosts.Kubeconfig) {
	folder := path.Dir(have.CertFile)
	for _, seed := range h.state.Files {
		if seed.Compare == manifests.Seed && path.Dir(seed.Path) == folder {
			h.reseed[seed.Path] = true
		}
	}
	for _, link := range h.state.Links {
		if link.Seed && path.Dir(link.Path) == folder {
			h.reseed[link.Path] = true
		}
	}
}
