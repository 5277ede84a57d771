package api

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	appsv1client "k8s.io/client-go/kubernetes/typed/apps/v1"
)

// daemonSets is a client that keeps the error of a question for a DaemonSet. kubectl's drain asks for each Pod's, and
// puts whatever comes of it into a text that says the Pod cannot be deleted: an API server that does not answer at
// that moment would end a drain.
type daemonSets struct {
	kubernetes.Interface
	err error
}

func (d *daemonSets) AppsV1() appsv1client.AppsV1Interface {
	return appsOf{d.Interface.AppsV1(), d}
}

type appsOf struct {
	appsv1client.AppsV1Interface
	all *daemonSets
}

func (a appsOf) DaemonSets(namespace string) appsv1client.DaemonSetInterface {
	return daemonSetsOf{a.AppsV1Interface.DaemonSets(namespace), a.all}
}

type daemonSetsOf struct {
	appsv1client.DaemonSetInterface
	all *daemonSets
}

// Get notes what failed; that a DaemonSet is gone is an answer, which the drain judges.
func (d daemonSetsOf) Get(ctx context.Context, name string, options metav1.GetOptions) (*appsv1.DaemonSet, error) {
	found, err := d.DaemonSetInterface.Get(ctx, name, options)
	if err != nil && !apierrors.IsNotFound(err) && d.all.err == nil {
		d.all.err = fmt.Errorf("get DaemonSet %s: %w", name, err)
	}
	return found, err
}
