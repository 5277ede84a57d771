package api

import (
	"context"
	"fmt"
	"net"
)

func (s *Smoke) configMap(ctx context.Context) (string, error) {
	return s.served(ctx, configFile, wordOne)
}

func (s *Smoke) secret(ctx context.Context) (string, error) {
	return s.served(ctx, secretFile, s.Secret)
}

// served asks every Pod of the Deployment for a file, from the Pod's own host.
func (s *Smoke) served(ctx context.Context, file, word string) (string, error) {
	pods, err := s.pods(ctx, "web")
	if err != nil {
		return "", err
	}
	asked := 0
	for _, pod := range pods {
		if s.c.all[pod.Spec.NodeName] == nil || pod.Status.PodIP == "" {
			continue
		}
		if err := s.answers(ctx, s.key("v1", "Pod", pod.Name), pod.Spec.NodeName, net.JoinHostPort(pod.Status.PodIP, "8080"), file, is(word)); err != nil {
			return "", err
		}
		asked++
	}
	if asked == 0 {
		return "", notAsked("no Pod of the Deployment is on a connected host")
	}
	return fmt.Sprintf("as a file in %d Pods", asked), nil
}
