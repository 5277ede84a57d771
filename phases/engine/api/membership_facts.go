package api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/slipway-k8s/slipway/hosts"
)

// alarms are those that a member has raised, as etcd names them: NOSPACE, CORRUPT.
func (m *member) alarms() string {
	own := fmt.Sprintf("memberID:%d ", m.ID)
	var raised []string
	for _, text := range m.report.status.Errors {
		if after, found := strings.CutPrefix(text, own); found {
			raised = append(raised, strings.TrimSpace(after))
		}
	}
	return strings.Join(raised, ", ")
}

// facts are the members as the cluster's facts have them, sorted by name.
func (m *membership) facts() []hosts.Member {
	leader := m.leader()
	facts := make([]hosts.Member, 0, len(m.members))
	for _, one := range m.members {
		fact := hosts.Member{
			ID: memberID(one.ID), Name: one.Name, Peers: one.PeerURLs, Clients: one.ClientURLs,
			Learner: one.IsLearner, Leader: one == leader,
		}
		if one.report != nil {
			status := one.report.status
			fact.Version, fact.Storage = status.GetVersion(), minorOf(status.GetStorageVersion())
			fact.Size = status.GetDbSize()
			if status.GetDowngradeInfo().GetEnabled() {
				fact.Downgrade = minorOf(status.GetDowngradeInfo().GetTargetVersion())
			}
		}
		if fact.Healthy, fact.Detail = one.well(); fact.Healthy {
			fact.Detail = one.alarms()
		}
		facts = append(facts, fact)
	}
	slices.SortFunc(facts, func(a, b hosts.Member) int {
		return strings.Compare(a.Name+"\x00"+a.ID, b.Name+"\x00"+b.ID)
	})
	return facts
}

// Members looks at etcd's members; where none is known, the cause says why.
func (c *Client) Members(ctx context.Context) (members []hosts.Member, cause string) {
	if c.etcd == nil {
		return nil, ""
	}
	m, err := c.etcd.membership(ctx)
	if err != nil {
		return nil, brief(err)
	}
	c.etcd.askByURL(ctx, m)
	return m.facts(), ""
}

// minorOf is major and minor of a version of etcd's: 3.7 of 3.7.0.
func minorOf(version string) string {
	return strings.TrimPrefix(semver.MajorMinor("v"+version), "v")
}
