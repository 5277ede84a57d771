package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The forms in which an API server tells objects without their content.
const (
	metadataList = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
	metadataOnly = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
)

// inventory lists the objects of a kind in a namespace that Slipway has applied. A server that does
// not know the kind has none.
func (c *Client) inventory(ctx context.Context, kind hosts.ObjectKey) ([]hosts.Applied, error) {
	path, err := c.collection(ctx, kind)
	var body []byte
	if err == nil {
		body, err = c.send(ctx, request{
			verb: http.MethodGet, path: path, accept: metadataList, params: map[string]string{"labelSelector": hosts.LabelInventory},
		})
	}
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	var found []hosts.Applied
	if err == nil {
		found, err = each(body, partsSeen, func(meta metav1.PartialObjectMetadata) hosts.Applied {
			return applied(kind, meta)
		})
	}
	if err != nil {
		return nil, fmt.Errorf("list what is applied of %s: %w", kind.Kind, err)
	}
	return slices.DeleteFunc(found, func(one hosts.Applied) bool { return one.UID == "" }), nil
}

// plainName is what objects of Slipway's are called. A name is made a part of a path, and shown: a
// host that was taken over could send "../../nodes/x".
var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.:_-]*$`)

// applied reads an object of a kind as one that Slipway has applied; without a UID where it has not.
// Who copies an object or its label does not copy that: the API server notes for each field who
// set it, and whoever else sets the label takes it over.
func applied(kind hosts.ObjectKey, meta metav1.PartialObjectMetadata) hosts.Applied {
	found := hosts.Applied{Object: kind, UID: string(meta.UID), Phase: meta.Labels[hosts.LabelInventory]}
	found.Object.Name = meta.Name
	mine := false
	for _, entry := range meta.ManagedFields {
		switch {
		case entry.Operation != metav1.ManagedFieldsOperationApply || entry.Subresource != "":
		case entry.Manager == FieldManager:
			mine = mine || setsLabel(entry)
		default:
			found.Others = append(found.Others, entry.Manager)
		}
	}
	if !mine || meta.Namespace != kind.Namespace || !plainName.MatchString(meta.Name) || !plainName.MatchString(found.Phase) {
		return hosts.Applied{}
	}
	return found
}

// setsLabel tells whether an entry's manager set the label of the inventory.
func setsLabel(entry metav1.ManagedFieldsEntry) bool {
	var fields struct {
		Metadata struct {
			Labels map[string]json.RawMessage `json:"f:labels"`
		} `json:"f:metadata"`
	}
	if entry.FieldsV1 == nil || json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields) != nil {
		return false
	}
	_, set := fields.Metadata.Labels["f:"+hosts.LabelInventory]
	return set
}

// stillMine looks again at an object that the plan deletes, just before: whether it is the one that
// was seen, and Slipway's alone. What it gives lets the server refuse if that changes in between.
func (c *Client) stillMine(ctx context.Context, path string, action plan.Delete) (*metav1.Preconditions, bool, error) {
	body, err := c.send(ctx, request{verb: http.MethodGet, path: path, accept: metadataOnly})
	if err != nil {
		return nil, false, err
	}
	var meta metav1.PartialObjectMetadata
	if err := json.Unmarshal(body, &meta); err != nil {
		return nil, false, err
	}
	found := applied(action.Object, meta)
	mine := found.UID == action.UID && found.Object == action.Object && len(found.Others) == 0
	return &metav1.Preconditions{UID: &meta.UID, ResourceVersion: &meta.ResourceVersion}, mine, nil
}
