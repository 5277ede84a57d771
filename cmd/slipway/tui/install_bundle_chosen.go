package tui

import "github.com/slipway-k8s/slipway/cmd/slipway/tui/text"

// bundleLines say which bundle was chosen; none was: nothing.
func (in *installer) bundleLines(columns int) []string {
	if in.bundle.Path == "" {
		return nil
	}
	return wrap(in.say(text.BundleChosen, clean(in.bundle.Path), clean(in.bundle.Bill.KubernetesVersion)), columns)
}
