package workflow

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/hosts"
)

// Picture is what there is of a cluster at one moment, for who looks at it for long. Nobody changes it
// any more.
type Picture struct {
	// Status is the same as Session.Status gives. Where there is no cluster yet, or its keys are not
	// known, ID is empty and Cause says why.
	Status
	Details []HostDetails `json:"details"` // of the hosts, in the order of Status.Hosts
	Live    hosts.Live    `json:"live"`    // what the API's watches show
	// Runs are the newest that were made from this machine for clusters of this name, the newest first.
	Runs []RunSummary `json:"runs,omitempty"`
}

// HostDetails is what a status does not show of a host. Of one that does not answer it is as it was
// seen last.
type HostDetails struct {
	Name     string       `json:"name"`
	Seen     time.Time    `json:"seen,omitzero"`  // when it answered last, where it does not answer now
	Again    time.Time    `json:"again,omitzero"` // when it is connected to again, where it is not connected; minutes away where it refuses the login
	Kernel   string       `json:"kernel,omitempty"`
	Arch     string       `json:"arch,omitempty"` // as Go names it
	CPUs     int          `json:"cpus,omitempty"`
	Load     []float64    `json:"load,omitempty"`   // processes that want a CPU, on average over 1, 5 and 15 minutes
	Memory   int64        `json:"memory,omitempty"` // bytes
	Free     int64        `json:"free,omitempty"`   // bytes of it that can be had; 0: not known
	Disks    []hosts.Disk `json:"disks,omitempty"`
	Systemd  string       `json:"systemd,omitempty"` // running, degraded, …
	Restarts []Restarts   `json:"restarts,omitempty"`
	// Lease is who works on the host now; nil where nobody does.
	Lease *hosts.LeaseHolder `json:"lease,omitempty"`
	// Record is what Slipway noted there of its own changes; nil on a host it never changed.
	Record *RecordSummary `json:"record,omitempty"`
	// Certificates are those of the host and what its kubeconfigs hold, who ends first comes first.
	Certificates []CertificateLife `json:"certificates,omitempty"`
}

// Restarts is how often, since boot, systemd has restarted a unit by itself.
type Restarts struct {
	Unit  string `json:"unit"`
	Times int    `json:"times"`
}

// RecordSummary counts what Slipway made on a host and what it has changed there.
type RecordSummary struct {
	Cluster  hosts.Identity `json:"cluster"`
	Paths    int            `json:"paths"`
	Units    int            `json:"units"`
	Images   int            `json:"images"`
	Settings int            `json:"settings"` // whose value of before is noted
	// Upgrades are those that the host can go back over, the oldest first.
	Upgrades []UpgradeMark `json:"upgrades,omitempty"`
}

// UpgradeMark is an upgrade that was done.
type UpgradeMark struct {
	From string    `json:"from"` // the Kubernetes version before, with a leading v
	At   time.Time `json:"at"`
}

// CertificateLife is how long a certificate lives.
type CertificateLife struct {
	Path string    `json:"path"` // of the certificate, or of the kubeconfig that holds it
	Ends time.Time `json:"ends"`
	Days int       `json:"days"` // whole ones that are left; negative: it has ended
}

// cleanStatus is a status whose text, of hosts and of the cluster, is fit to be shown.
func cleanStatus(s Status) Status {
	clean := hosts.CleanLine
	s.Cause, s.Version, s.MembersCause = clean(s.Cause), clean(s.Version), clean(s.MembersCause)
	s.Hosts, s.Members, s.Health = slices.Clone(s.Hosts), slices.Clone(s.Members), slices.Clone(s.Health)
	for i, h := range s.Hosts {
		h.Connection, h.OS, h.Reason, h.Kubelet = clean(h.Connection), clean(h.OS), clean(h.Reason), clean(h.Kubelet)
		h.Units, h.Unanswered = slices.Clone(h.Units), slices.Clone(h.Unanswered)
		for j, unit := range h.Units {
			h.Units[j].Active = clean(unit.Active)
		}
		for j, one := range h.Unanswered {
			h.Unanswered[j].What, h.Unanswered[j].At = clean(one.What), clean(one.At)
		}
		s.Hosts[i] = h
	}
	for i, m := range s.Members {
		m.Name, m.Detail, m.Version, m.Storage, m.Downgrade = clean(m.Name), clean(m.Detail), clean(m.Version), clean(m.Storage), clean(m.Downgrade)
		m.Peers, m.Clients = cleanAll(m.Peers), cleanAll(m.Clients)
		s.Members[i] = m
	}
	for i, one := range s.Health {
		s.Health[i].Detail = clean(one.Detail)
	}
	return s
}

func cleanAll(texts []string) []string {
	cleaned := make([]string, len(texts))
	for i, text := range texts {
		cleaned[i] = hosts.CleanLine(text)
	}
	return cleaned
}

// The files that tell how busy a host is.
const (
	loadFile   = "/proc/loadavg"
	memoryFile = "/proc/meminfo"
)

// detailsOf are a host's, as of its facts; certificates stay as they were where the facts have none.
func detailsOf(name string, facts hosts.Facts, before HostDetails, now time.Time) HostDetails {
	details := HostDetails{
		Name: name, Kernel: hosts.CleanLine(facts.Kernel), Arch: hosts.CleanLine(facts.Arch), CPUs: facts.CPUs,
		Load: loadOf(facts.Contents[loadFile]), Memory: facts.Memory, Free: freeOf(facts.Contents[memoryFile]),
		Disks: facts.Disks, Systemd: hosts.CleanLine(facts.Systemd.State), Record: summaryOf(facts), Certificates: before.Certificates,
	}
	if by := facts.Lease; by != nil {
		details.Lease = &hosts.LeaseHolder{Holder: hosts.CleanLine(by.Holder), Since: hosts.CleanLine(by.Since), Heard: hosts.CleanLine(by.Heard)}
	}
	for unit, state := range facts.Units {
		if state.Restarts > 0 {
			details.Restarts = append(details.Restarts, Restarts{unit, state.Restarts})
		}
	}
	slices.SortFunc(details.Restarts, func(a, b Restarts) int { return strings.Compare(a.Unit, b.Unit) })
	if len(facts.Certificates)+len(facts.Kubeconfigs) > 0 {
		details.Certificates = livesOf(facts, now)
	}
	return details
}

// loadOf reads /proc/loadavg; nil where it is not known.
func loadOf(content []byte) []float64 {
	words := strings.Fields(string(content))
	if len(words) < 3 {
		return nil
	}
	load := make([]float64, 3)
	for i := range load {
		var err error
		if load[i], err = strconv.ParseFloat(words[i], 64); err != nil || !(load[i] >= 0 && load[i] < 1e9) { // NaN too is no load
			return nil
		}
	}
	return load
}

// freeOf reads of /proc/meminfo, in bytes, what can be had without swapping; 0 where it is not known.
func freeOf(content []byte) int64 {
	for line := range strings.Lines(string(content)) {
		var kibibytes int64
		if n, err := fmt.Sscanf(line, "MemAvailable: %d kB", &kibibytes); n == 1 && err == nil && kibibytes >= 0 && kibibytes < 1<<50 {
			return kibibytes << 10
		}
	}
	return 0
}

func summaryOf(facts hosts.Facts) *RecordSummary {
	record := facts.Record
	if record == nil {
		return nil
	}
	found := &RecordSummary{
		Cluster: hosts.Identity{ID: hosts.CleanLine(record.Cluster.ID), Name: hosts.CleanLine(record.Cluster.Name)},
		Paths:   len(record.Paths), Units: len(record.Units), Images: len(record.Images), Settings: len(record.Priors),
	}
	for _, kept := range facts.Kept {
		found.Upgrades = append(found.Upgrades, UpgradeMark{hosts.CleanLine(kept.Version), kept.At})
	}
	return found
}

// livesOf are how long the certificates of the facts live.
func livesOf(facts hosts.Facts, now time.Time) []CertificateLife {
	var lives []CertificateLife
	add := func(path string, pem []byte) {
		certificate, err := certs.Parse(pem)
		if err != nil {
			return // what is not there, or cannot be read, has no life
		}
		left := certificate.NotAfter.Sub(now)
		days := int(left / (24 * time.Hour))
		if left < 0 {
			days--
		}
		lives = append(lives, CertificateLife{hosts.CleanLine(path), certificate.NotAfter, days})
	}
	for path, have := range facts.Certificates {
		add(path, have.PEM)
	}
	for path, have := range facts.Kubeconfigs {
		add(path, have.Cert)
	}
	slices.SortFunc(lives, func(a, b CertificateLife) int {
		return cmp.Or(a.Ends.Compare(b.Ends), strings.Compare(a.Path, b.Path))
	})
	return lives
}
