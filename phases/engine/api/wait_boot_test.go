package api

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// booting is a host that shows what is said of it.
type booting struct {
	hosts.Host
	shows func() (hosts.Facts, error)
}

func (b booting) Observe(context.Context, hosts.Query) (hosts.Facts, error) { return b.shows() }

// TestWaitBoot: a host that goes on in the boot of before has not rebooted, and one that does not answer may be
// about to.
func TestWaitBoot(t *testing.T) {
	for name, test := range map[string]struct {
		away, back time.Duration // from when on it does not answer, and from when on it runs in another boot
		want       string
	}{
		"it reboots":          {2 * time.Second, 40 * time.Second, ""},
		"it does not reboot":  {time.Hour, time.Hour, "w-1 to boot: not within 60 s; last seen: it still runs in the boot of before"},
		"it does not come up": {2 * time.Second, time.Hour, "not within 60 s; last seen: connect: no route"},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, one, func(t *testing.T, c *cluster, _ *Client) {
				began := time.Now()
				client := c.clientWith(c.ca, func(o *Options) {
					o.AllHosts = map[string]hosts.Host{"w-1": booting{shows: func() (hosts.Facts, error) {
						switch passed := time.Since(began); {
						case passed >= test.back:
							return hosts.Facts{BootID: "two"}, nil
						case passed >= test.away:
							return hosts.Facts{}, &hosts.Error{Kind: hosts.KindCut, Op: "connect", Err: errors.New("no route")}
						}
						return hosts.Facts{BootID: "one"}, nil
					}}}
				})
				defer client.Close()
				_, err := client.Do(t.Context(), plan.WaitBoot{Host: "w-1", Before: "one", Timeout: 60}, nil, nil)
				switch {
				case test.want == "" && (err != nil || time.Since(began) < test.back):
					t.Errorf("after %s: %v", time.Since(began), err)
				case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
					t.Errorf("it ends with %v", err)
				}
			})
		})
	}
}
