package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// apply brings an object to its content, or, for a seed, makes it where it is absent.
func (c *Client) apply(ctx context.Context, action plan.Apply, content func(string) ([]byte, error),
	progress func(hosts.Progress),
) (hosts.Outcome, error) {
	body, err := content(action.Content)
	if err != nil {
		return hosts.Outcome{}, fmt.Errorf("apply %s: %w", action.Object, err)
	}
	if action.Secret {
		progress = silent(progress)
	}
	var changed bool
	err = c.persist(ctx, progress, func(ctx context.Context) error {
		var err error
		if action.Seed {
			changed, err = c.seedOnce(ctx, action.Object, body)
		} else {
			changed, err = c.applyOnce(ctx, action.Object, body)
		}
		return err
	})
	if err != nil {
		return hosts.Outcome{}, fmt.Errorf("apply %s: %w", action.Object, discreet(err, action.Secret))
	}
	return outcome(changed, ""), nil
}

// applyOnce applies on the server's side, and tells by the object's version whether that
// changed anything.
func (c *Client) applyOnce(ctx context.Context, key hosts.ObjectKey, body []byte) (bool, error) {
	path, err := c.path(ctx, key)
	if err != nil {
		return false, err
	}
	live, err := c.object(ctx, key)
	if err != nil {
		return false, err
	}
	send := func() ([]byte, error) {
		return c.send(ctx, request{
			verb: http.MethodPatch, path: path, patch: types.ApplyPatchType, body: body,
			params: map[string]string{"fieldManager": FieldManager, "force": "true"},
		})
	}
	got, err := send()
	if addressTaken(err) && live == nil && c.freeAddress(ctx, key, body) {
		if got, err = send(); addressTaken(err) {
			return false, &heldError{err}
		}
	}
	if err != nil {
		return false, err
	}
	return live == nil || versionOf(live) != versionOf(got), nil
}

// addressTaken tells whether a Service was refused for its address.
func addressTaken(err error) bool {
	return apierrors.IsInvalid(err) && strings.Contains(err.Error(), "already allocated")
}

// freeAddress deletes what a creation that was cut off has left of a Service which is not
// there: the addresses, taken in its name. The API server itself would clear that away only
// with its next repair, after one to three minutes. It tells whether no address is another's.
func (c *Client) freeAddress(ctx context.Context, key hosts.ObjectKey, body []byte) bool {
	var service corev1.Service
	if key.Kind != "Service" || json.Unmarshal(body, &service) != nil {
		return false
	}
	addresses := service.Spec.ClusterIPs // with the other, where there are two families
	if len(addresses) == 0 && service.Spec.ClusterIP != "" {
		addresses = []string{service.Spec.ClusterIP}
	}
	for _, address := range addresses {
		if !c.freeIfOf(ctx, key, address) {
			return false
		}
	}
	return len(addresses) > 0
}

// freeIfOf deletes that an address is taken, if it is for the Service named. It tells whether the address
// may be had: nobody else has it.
func (c *Client) freeIfOf(ctx context.Context, key hosts.ObjectKey, address string) bool {
	var taken networkingv1.IPAddress
	if err := c.read(ctx, "/apis/networking.k8s.io/v1/ipaddresses/"+address, &taken); err != nil {
		return apierrors.IsNotFound(err)
	}
	owner := taken.Spec.ParentRef
	if owner == nil || owner.Resource != "services" || owner.Namespace != key.Namespace || owner.Name != key.Name {
		return false // it is another's
	}
	err := c.typed.NetworkingV1().IPAddresses().Delete(ctx, taken.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(taken.UID))})
	return err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err)
}

func (c *Client) seedOnce(ctx context.Context, key hosts.ObjectKey, body []byte) (bool, error) {
	live, err := c.object(ctx, key)
	if err != nil || live != nil {
		return false, err
	}
	collection, err := c.collection(ctx, key)
	if err != nil {
		return false, err
	}
	_, err = c.send(ctx, request{
		verb: http.MethodPost, path: collection, body: body,
		params: map[string]string{"fieldManager": FieldManager},
	})
	if apierrors.IsAlreadyExists(err) {
		return false, nil
	}
	return err == nil, err
}

// delete deletes an object and what it owns.
func (c *Client) delete(ctx context.Context, action plan.Delete, progress func(hosts.Progress)) (hosts.Outcome, error) {
	var done hosts.Outcome
	err := c.persist(ctx, progress, func(ctx context.Context) error {
		var err error
		done, err = c.deleteOnce(ctx, action)
		if apierrors.IsNotFound(err) {
			done, err = outcome(false, ""), nil
		}
		return err
	})
	if err != nil {
		return hosts.Outcome{}, fmt.Errorf("delete %s: %w", action.Object, err)
	}
	return done, nil
}

func (c *Client) deleteOnce(ctx context.Context, action plan.Delete) (hosts.Outcome, error) {
	path, err := c.path(ctx, action.Object)
	if err != nil {
		return hosts.Outcome{}, err
	}
	options := metav1.DeleteOptions{
		TypeMeta:          metav1.TypeMeta{APIVersion: "v1", Kind: "DeleteOptions"},
		PropagationPolicy: new(metav1.DeletePropagationBackground),
	}
	if action.UID != "" {
		var mine bool
		if options.Preconditions, mine, err = c.stillMine(ctx, path, action); err != nil || !mine {
			return outcome(false, "it is another's by now"), err
		}
	}
	body, err := json.Marshal(options)
	if err != nil {
		return hosts.Outcome{}, err
	}
	_, err = c.send(ctx, request{verb: http.MethodDelete, path: path, body: body})
	return outcome(true, ""), err
}

// versionOf is an object's resourceVersion.
func versionOf(object []byte) string {
	var meta metav1.PartialObjectMetadata
	if json.Unmarshal(object, &meta) != nil {
		return ""
	}
	return meta.ResourceVersion
}

// discreet hides what the API server says about a secret, since that may quote it.
func discreet(err error, secret bool) error {
	if !secret || !answered(err) {
		return err
	}
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	status := apierrors.APIStatus(nil)
	errors.As(err, &status)
	return fmt.Errorf("the API server refused it: %d %s", status.Status().Code, status.Status().Reason)
}

// silent keeps what the API server says out of a secret's progress.
func silent(progress func(hosts.Progress)) func(hosts.Progress) {
	return func(hosts.Progress) { progress(hosts.Progress{Note: "waiting: the API server does not take it yet"}) }
}
