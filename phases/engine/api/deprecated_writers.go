package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	mostWritten = 20 // pages of a resource's objects that are looked at
	someNamed   = 3  // objects of a writer that are told by name
)

// findWriters notes who writes by an API that was asked for.
func (c *Client) findWriters(ctx context.Context, api *hosts.RequestedAPI) {
	var err error
	if api.Writers, err = c.writers(ctx, api.Servers[0], api.API); err != nil {
		api.Unknown = brief(err)
	}
}

// writers finds who has written a resource's objects by one version, most objects first. It is asked of an
// API server that has counted requests for this version already: so the question adds nothing.
func (c *Client) writers(ctx context.Context, host string, of hosts.API) ([]hosts.Writer, error) {
	one, err := c.only(host)
	if err != nil {
		return nil, err
	}
	version := strings.TrimPrefix(of.Group+"/"+of.Version, "/")
	path := versionPath(version) + "/" + of.Resource
	found := map[string]*hosts.Writer{}
	next := ""
	for range mostWritten {
		body, err := one.list(ctx, c, path, next)
		if err != nil {
			return sortedWriters(found), fmt.Errorf("list %s: %w", path, err)
		}
		var list struct{ Metadata metav1.ListMeta }
		if err := json.Unmarshal(body, &list); err != nil {
			return sortedWriters(found), fmt.Errorf("list %s: %w", path, err)
		}
		if _, err := each(body, partsKept, func(object metav1.PartialObjectMetadata) struct{} {
			noteWriters(found, object, version)
			return struct{}{}
		}); err != nil {
			return sortedWriters(found), fmt.Errorf("list %s: %w", path, err)
		}
		if next = list.Metadata.Continue; next == "" {
			break
		}
	}
	return sortedWriters(found), nil
}

// list gets one page of a collection's objects, their metadata alone, from this API server.
func (s *single) list(ctx context.Context, c *Client, path, next string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.pace.try)
	defer cancel()
	query := url.Values{"limit": {strconv.Itoa(pageOf)}}
	if next != "" {
		query.Set("continue", next)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", metadataList)
	response, err := s.transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %s", response.Status)
	}
	return io.ReadAll(response.Body)
}

func noteWriters(found map[string]*hosts.Writer, object metav1.PartialObjectMetadata, version string) {
	var noted []string
	for _, entry := range object.ManagedFields {
		if entry.APIVersion != version || slices.Contains(noted, entry.Manager) {
			continue
		}
		noted = append(noted, entry.Manager)
		if found[entry.Manager] == nil {
			found[entry.Manager] = &hosts.Writer{Manager: entry.Manager}
		}
		writer := found[entry.Manager]
		if writer.Objects++; len(writer.Some) < someNamed {
			writer.Some = append(writer.Some, strings.TrimPrefix(object.Namespace+"/"+object.Name, "/"))
		}
	}
}

func sortedWriters(found map[string]*hosts.Writer) []hosts.Writer {
	var writers []hosts.Writer
	for _, one := range found {
		writers = append(writers, *one)
	}
	slices.SortFunc(writers, func(a, b hosts.Writer) int {
		if a.Objects != b.Objects {
			return b.Objects - a.Objects
		}
		return strings.Compare(a.Manager, b.Manager)
	})
	return writers
}
