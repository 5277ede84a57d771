package api

import (
	"context"
	"fmt"
	"net"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// volume makes a PersistentVolume and a StatefulSet that claims it.
func (s *Smoke) volume(ctx context.Context) (string, error) {
	node := s.plain[0]
	if err := s.make(ctx, "smoke/disk", smokeData{App: "disk", Node: hostname(node)}); err != nil {
		return "", err
	}
	holder, err := s.podIs(ctx, "disk", "to run", runs)
	if err != nil {
		return "", err
	}
	folder := fmt.Sprintf("%s/pods/%s/volumes/kubernetes.io~empty-dir/data", s.KubeletFolder, holder.UID)
	if err := s.make(ctx, "smoke/db", smokeData{App: "db", Node: hostname(node), Volume: folder}); err != nil {
		return "", err
	}
	key := s.key("v1", "PersistentVolumeClaim", "data-db-0")
	err = s.until(ctx, key, "the claim to be bound", func(ctx context.Context) (bool, string, error) {
		var claim corev1.PersistentVolumeClaim
		found, err := s.get(ctx, key, &claim)
		if err != nil || !found {
			return false, "the StatefulSet's controller has not made it", err
		}
		return claim.Status.Phase == corev1.ClaimBound && claim.Spec.VolumeName == s.Namespace(), "it is " + string(claim.Status.Phase), nil
	})
	return "a local volume on " + node.Name, err
}

// statefulSet deletes its Pod: the next one has the same name, and what the first one wrote.
func (s *Smoke) statefulSet(ctx context.Context) (string, error) {
	first, err := s.podIs(ctx, "db-0", "to run", runs)
	if err != nil {
		return "", err
	}
	if err := s.c.typed.CoreV1().Pods(s.Namespace()).Delete(ctx, first.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(first.UID))}); err != nil {
		return "", &brokenPromise{object: s.key("v1", "Pod", "db-0"), node: first.Spec.NodeName, err: err}
	}
	second, err := s.podIs(ctx, "db-0", "to run anew", func(pod corev1.Pod) string {
		if pod.UID == first.UID {
			return "it is still the one that was deleted"
		}
		return runs(pod)
	})
	if err != nil {
		return "", err
	}
	address := net.JoinHostPort(second.Status.PodIP, "8080")
	err = s.answers(ctx, s.key("v1", "Pod", "db-0"), second.Spec.NodeName, address, stateFile, has(string(first.UID), string(second.UID)))
	return "its Pod was deleted; the next has its name and data", err
}
