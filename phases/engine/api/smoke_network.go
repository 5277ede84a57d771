package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-k8s/slipway/hosts"
)

// serviceByName has a Pod ask for the Service by its name, and reads what it got off its log.
func (s *Smoke) serviceByName(ctx context.Context) (string, error) {
	if err := s.make(ctx, "smoke/client", smokeData{App: "client"}); err != nil {
		return "", err
	}
	pod, err := s.podIs(ctx, "client", "to get an answer from http://web", func(pod corev1.Pod) string { return s.unanswered(ctx, pod) })
	return "a Pod on " + pod.Spec.NodeName + " asked for http://web", err
}

// unanswered is what keeps a client from having got its answer: what its log says or, where that
// says nothing, how the Pod is.
func (s *Smoke) unanswered(ctx context.Context, pod corev1.Pod) string {
	for _, ended := range []bool{false, true} { // a container that failed is started anew, and has not said anything yet
		said, err := s.log(ctx, pod, ended)
		switch said = strings.TrimSpace(said); {
		case err != nil || said == "":
		case said == wordOne:
			return ""
		default:
			return lastLine(said)
		}
	}
	return runs(pod)
}

func (s *Smoke) clusterIP(ctx context.Context) (string, error) {
	service, err := s.service(ctx)
	if err != nil {
		return "", err
	}
	asked := withPort(service.Spec.ClusterIPs, "80") // one of each family
	err = s.each(s.nodes, func(node corev1.Node) error {
		return s.allAnswer(ctx, s.key("v1", "Service", "web"), node.Name, asked)
	})
	return fmt.Sprintf("asked at %s by %s", strings.Join(asked, " and "), names(s.nodes)), err
}

func (s *Smoke) nodePort(ctx context.Context) (string, error) {
	if len(s.c.all) < 2 {
		return "", notAsked("only one host")
	}
	service, err := s.service(ctx)
	if err != nil {
		return "", err
	}
	port := strconv.Itoa(int(service.Spec.Ports[0].NodePort))
	err = s.each(s.nodes, func(node corev1.Node) error {
		return s.allAnswer(ctx, s.key("v1", "Service", "web"), s.another(node.Name), withPort(internalIPs(node), port))
	})
	return fmt.Sprintf("port %s of %s, each asked from another host", port, names(s.nodes)), err
}

func (s *Smoke) service(ctx context.Context) (service corev1.Service, err error) {
	_, err = s.get(ctx, s.key("v1", "Service", "web"), &service)
	if err == nil && len(service.Spec.Ports) == 0 {
		err = errors.New("the Service web has no port")
	}
	return service, err
}

// another is a host that is not the one named.
func (s *Smoke) another(name string) string {
	for _, other := range s.nodes {
		if other.Name != name {
			return other.Name
		}
	}
	for other := range s.c.all {
		if other != name {
			return other
		}
	}
	return name
}

// internalIPs are a node's own addresses, one of each family.
func internalIPs(node corev1.Node) []string {
	var found []string
	for _, address := range node.Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			found = append(found, address.Address)
		}
	}
	return found
}

// podIPs are a Pod's addresses, one of each family.
func podIPs(pod corev1.Pod) []string {
	var found []string
	for _, ip := range pod.Status.PodIPs {
		found = append(found, ip.IP)
	}
	return found
}

func withPort(addresses []string, port string) []string {
	var found []string
	for _, address := range addresses {
		found = append(found, net.JoinHostPort(address, port))
	}
	return found
}

// allAnswer asks all addresses of one thing, one after another. Without any there is nothing
// that could answer.
func (s *Smoke) allAnswer(ctx context.Context, object hosts.ObjectKey, from string, addresses []string) error {
	if len(addresses) == 0 {
		return fmt.Errorf("%s %s has no address", object.Kind, object.Name)
	}
	for _, address := range addresses {
		if err := s.answers(ctx, object, from, address, configFile, is(wordOne)); err != nil {
			return err
		}
	}
	return nil
}

// acrossHosts asks the DaemonSet's Pod of every node from every other node.
func (s *Smoke) acrossHosts(ctx context.Context) (string, error) {
	if len(s.nodes) < 2 {
		return "", notAsked("only one host")
	}
	pods, err := s.pods(ctx, "every")
	if err != nil {
		return "", err
	}
	err = s.each(s.nodes, func(from corev1.Node) error {
		for _, pod := range pods {
			if pod.Spec.NodeName == from.Name {
				continue
			}
			if err := s.allAnswer(ctx, s.key("v1", "Pod", pod.Name), from.Name, withPort(podIPs(pod), "8080")); err != nil {
				return fmt.Errorf("the Pod is on %s: %w", pod.Spec.NodeName, err)
			}
		}
		return nil
	})
	return fmt.Sprintf("each of %d hosts reaches the Pods of the others", len(s.nodes)), err
}

// each asks for all nodes at once; the first error counts.
func (s *Smoke) each(nodes []corev1.Node, ask func(corev1.Node) error) error {
	answers := make(chan error, len(nodes))
	for _, node := range nodes {
		go func() { answers <- ask(node) }()
	}
	var first error
	for range nodes {
		if err := <-answers; err != nil && first == nil {
			first = err
		}
	}
	return first
}
