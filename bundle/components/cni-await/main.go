// Command await-subnet is a network plugin that makes no network: first in the list of
// flannel's configuration, it holds a Pod's sandbox until flanneld has this node's subnet.
// flannel's own plugin fails then, and the kubelet tries again only 10 to 15 s later. So
// what lies in /etc/cni/net.d may lie there from the start, as it does after every
// reboot anyway, and the first Pods still find their network in the moment it is there.
//
// The protocol is the Container Network Interface's:
// https://www.cni.dev/docs/spec/
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/version"
)

// What holds where the configuration says nothing. The kubelet gives up on a sandbox after
// 2 minutes (runtimeRequestTimeout): an answer of ours, with a cause, comes before that.
const (
	subnetFile = "/run/flannel/subnet.env"
	patience   = 60 // seconds
	interval   = 20 * time.Millisecond
)

// config is the plugin's part of the network configuration.
type config struct {
	types.NetConf
	SubnetFile string `json:"subnetFile,omitempty"`
	Seconds    int    `json:"seconds,omitempty"` // how long to wait at most
}

func main() {
	skel.PluginMainFuncs(skel.CNIFuncs{
		Add:   add,
		Del:   func(*skel.CmdArgs) error { return nil },
		Check: func(*skel.CmdArgs) error { return nil },
	}, version.All, "await-subnet: holds a sandbox until flanneld has the node's subnet")
}

func add(args *skel.CmdArgs) error {
	c, err := read(args.StdinData)
	if err != nil {
		return err
	}
	if !appears(c.SubnetFile, time.Duration(c.Seconds)*time.Second) {
		return types.NewError(types.ErrTryAgainLater,
			fmt.Sprintf("the Pod network of this node is not up: flanneld has not written %s within %d s", c.SubnetFile, c.Seconds),
			"see what its Pod on this node says: kubectl -n kube-flannel logs, or what is in /var/log/pods there")
	}
	return types.PrintResult(&current.Result{CNIVersion: c.CNIVersion}, c.CNIVersion)
}

func read(data []byte) (config, error) {
	c := config{SubnetFile: subnetFile, Seconds: patience}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, types.NewError(types.ErrDecodingFailure, "decode the configuration of await-subnet", err.Error())
	}
	return c, nil
}

// appears waits until a file is there, and holds something; false when it takes too long.
func appears(path string, patience time.Duration) bool {
	deadline := time.Now().Add(patience)
	for tick := time.NewTicker(interval); ; <-tick.C {
		if info, err := os.Stat(path); err == nil && info.Size() > 0 {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}
