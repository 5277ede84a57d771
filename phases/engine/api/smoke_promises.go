package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/polymorphichelpers"
)

// What to do, by who keeps a promise.
const (
	seeControllers = "see what they say: slipway kubectl -- -n kube-system logs -l component=kube-controller-manager --tail=20"
	seeScheduler   = "see what it says: slipway kubectl -- -n kube-system logs -l component=kube-scheduler --tail=20"
	seeKubelet     = "see what the node's kubelet says, on the host: journalctl -u kubelet -n 50"
	seeProxy       = "see what kube-proxy says: slipway kubectl -- -n kube-system logs -l k8s-app=kube-proxy --tail=20"
	seeNetwork     = "see whether the network add-on runs on both hosts (slipway kubectl -- -n kube-system get pods -o wide), and that no firewall drops its packets between them"
	seeDNS         = "see what CoreDNS says: slipway kubectl -- -n kube-system logs -l k8s-app=kube-dns --tail=20"
)

// smokePromises are all that is asked. Those that build on nothing are asked at the same time.
var smokePromises = []smokePromise{
	{"Deployment", "", (*Smoke).deployment, seeControllers},
	{"rollout and undo", "", (*Smoke).rollout, seeControllers},
	{"ConfigMap", "Deployment", (*Smoke).configMap, seeKubelet},
	{"Secret", "Deployment", (*Smoke).secret, seeKubelet},
	{"Service by name", "Deployment", (*Smoke).serviceByName, seeDNS},
	{"Service by ClusterIP", "Deployment", (*Smoke).clusterIP, seeProxy},
	{"Service by NodePort", "Deployment", (*Smoke).nodePort, seeProxy},
	{"DaemonSet", "", (*Smoke).daemonSet, seeControllers},
	{"Pods across hosts", "DaemonSet", (*Smoke).acrossHosts, seeNetwork},
	{"PersistentVolume and claim", "", (*Smoke).volume, seeControllers},
	{"StatefulSet", "PersistentVolume and claim", (*Smoke).statefulSet, seeControllers},
	{"Job", "", (*Smoke).job, seeControllers},
	{"CronJob", "", (*Smoke).cronJob, seeControllers},
	{"probes", "", (*Smoke).probes, seeKubelet},
	{"limits", "", (*Smoke).limits, seeKubelet},
	{"requests", "", (*Smoke).requests, seeScheduler},
	{"PodDisruptionBudget", "", (*Smoke).budget, seeControllers},
	{"taints and tolerations", "", (*Smoke).taints, seeScheduler},
	{"labels and selectors", "", (*Smoke).selectors, seeControllers},
}

// The words that files say, first and after a rollout.
const (
	wordOne = "one"
	wordTwo = "two"
)

func (s *Smoke) deployment(ctx context.Context) (string, error) {
	if err := s.make(ctx, "smoke/web", smokeData{App: "web", Word: wordOne}); err != nil {
		return "", err
	}
	if err := s.rolledOut(ctx, s.key("apps/v1", "Deployment", "web")); err != nil {
		return "", err
	}
	pods, err := s.pods(ctx, "web")
	return "2 replicas on " + strings.Join(nodesOf(pods), ", "), err
}

// nodesOf are the nodes of Pods, each once.
func nodesOf(pods []corev1.Pod) []string {
	var names []string
	for _, pod := range pods {
		names = append(names, pod.Spec.NodeName)
	}
	slices.Sort(names)
	return slices.Compact(names)
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

func (s *Smoke) configMap(ctx context.Context) (string, error) {
	return s.served(ctx, configFile, wordOne)
}
func (s *Smoke) secret(ctx context.Context) (string, error) {
	return s.served(ctx, secretFile, s.Secret)
}

// rollout gives a Deployment another template, and the one of before again, as kubectl rollout
// undo does; each time what is served is of that template.
func (s *Smoke) rollout(ctx context.Context) (string, error) {
	for _, word := range []string{wordOne, wordTwo} {
		if err := s.make(ctx, "smoke/rolling", smokeData{App: "rolling", Word: word}); err != nil {
			return "", err
		}
		if err := s.serves(ctx, "rolling", word); err != nil {
			return "", err
		}
	}
	if err := s.undo(ctx, "rolling"); err != nil {
		return "", &brokenPromise{object: s.key("apps/v1", "Deployment", "rolling"), err: fmt.Errorf("undo the rollout: %w", err)}
	}
	return "to another version and back", s.serves(ctx, "rolling", wordOne)
}

// undo takes a Deployment back to its template of before, by kubectl's own code.
func (s *Smoke) undo(ctx context.Context, name string) error {
	back, err := polymorphichelpers.RollbackerFor(schema.GroupKind{Group: "apps", Kind: "Deployment"}, s.c.typed)
	if err != nil {
		return err
	}
	live, err := s.c.typed.AppsV1().Deployments(s.Namespace()).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	_, err = back.Rollback(live, nil, 0, util.DryRunNone)
	return err
}

// serves waits until a Deployment of one replica has rolled out, and serves a word.
func (s *Smoke) serves(ctx context.Context, app, word string) error {
	key := s.key("apps/v1", "Deployment", app)
	if err := s.rolledOut(ctx, key); err != nil {
		return err
	}
	return s.until(ctx, key, "Deployment "+app+" to serve "+word, func(ctx context.Context) (bool, string, error) {
		pods, err := s.pods(ctx, app)
		if err != nil || len(pods) != 1 {
			return false, fmt.Sprintf("it has %d Pods", len(pods)), err
		}
		if s.c.all[pods[0].Spec.NodeName] == nil {
			return true, "", nil // nobody can be asked there; the rollout itself is seen
		}
		said, err := s.ask(ctx, pods[0].Spec.NodeName, net.JoinHostPort(pods[0].Status.PodIP, "8080"), configFile)
		if err != nil {
			return false, brief(err), nil
		}
		return said == word, fmt.Sprintf("it serves %q", said), nil
	})
}

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

func (s *Smoke) service(ctx context.Context) (service corev1.Service, err error) {
	_, err = s.get(ctx, s.key("v1", "Service", "web"), &service)
	if err == nil && len(service.Spec.Ports) == 0 {
		err = errors.New("the Service web has no port")
	}
	return service, err
}

func (s *Smoke) clusterIP(ctx context.Context) (string, error) {
	service, err := s.service(ctx)
	if err != nil {
		return "", err
	}
	address := net.JoinHostPort(service.Spec.ClusterIP, "80")
	err = s.each(s.nodes, func(node corev1.Node) error {
		return s.answers(ctx, s.key("v1", "Service", "web"), node.Name, address, configFile, is(wordOne))
	})
	return fmt.Sprintf("%s answers %s", address, names(s.nodes)), err
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
		from := s.another(node.Name)
		return s.answers(ctx, s.key("v1", "Service", "web"), from, net.JoinHostPort(internalIP(node), port), configFile, is(wordOne))
	})
	return fmt.Sprintf("port %s of %s, each asked from another host", port, names(s.nodes)), err
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

func internalIP(node corev1.Node) string {
	for _, address := range node.Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			return address.Address
		}
	}
	return ""
}

func names(nodes []corev1.Node) string {
	var all []string
	for _, node := range nodes {
		all = append(all, node.Name)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func (s *Smoke) daemonSet(ctx context.Context) (string, error) {
	var nodes []string
	for _, node := range s.nodes {
		nodes = append(nodes, hostname(node))
	}
	if err := s.make(ctx, "smoke/every", smokeData{App: "every", Word: wordOne, Nodes: nodes}); err != nil {
		return "", err
	}
	key := s.key("apps/v1", "DaemonSet", "every")
	err := s.until(ctx, key, "DaemonSet every to run on "+names(s.nodes), func(ctx context.Context) (bool, string, error) {
		pods, err := s.pods(ctx, "every")
		if err != nil {
			return false, "", err
		}
		var missing []string
		for _, node := range s.nodes {
			at := slices.IndexFunc(pods, func(pod corev1.Pod) bool { return pod.Spec.NodeName == node.Name })
			switch {
			case at < 0:
				missing = append(missing, "no Pod on "+node.Name)
			case runs(pods[at]) != "":
				missing = append(missing, node.Name+": "+runs(pods[at]))
			}
		}
		return len(missing) == 0, strings.Join(missing, "; "), nil
	})
	return "a Pod on " + names(s.nodes), err
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
			address := net.JoinHostPort(pod.Status.PodIP, "8080")
			if err := s.answers(ctx, s.key("v1", "Pod", pod.Name), from.Name, address, configFile, is(wordOne)); err != nil {
				return fmt.Errorf("the Pod is on %s: %w", pod.Spec.NodeName, err)
			}
		}
		return nil
	})
	return fmt.Sprintf("each of %d hosts reaches the Pods of the others", len(s.nodes)), err
}

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

func (s *Smoke) job(ctx context.Context) (string, error) {
	if err := s.make(ctx, "smoke/job", smokeData{App: "job"}); err != nil {
		return "", err
	}
	key := s.key("batch/v1", "Job", "job")
	return "completed", s.until(ctx, key, "Job job to complete", func(ctx context.Context) (bool, string, error) {
		var job batchv1.Job
		found, err := s.get(ctx, key, &job)
		return found && job.Status.Succeeded > 0, fmt.Sprintf("%d of its Pods run, %d failed", job.Status.Active, job.Status.Failed), err
	})
}

// cronJob has a CronJob look as if it had last run minutes ago: its controller then has missed a
// time, and makes the Job now. A schedule knows nothing shorter than a minute.
func (s *Smoke) cronJob(ctx context.Context) (string, error) {
	if err := s.make(ctx, "smoke/cron", smokeData{App: "cron"}); err != nil {
		return "", err
	}
	key := s.key("batch/v1", "CronJob", "cron")
	last, err := json.Marshal(map[string]any{"status": map[string]any{"lastScheduleTime": metav1.NewTime(s.now().Add(-2 * time.Minute))}})
	if err != nil {
		return "", err
	}
	err = s.c.persist(ctx, nil, func(ctx context.Context) error {
		_, err := s.c.typed.BatchV1().CronJobs(s.Namespace()).Patch(ctx, "cron", types.MergePatchType, last, metav1.PatchOptions{FieldManager: FieldManager}, "status")
		return err
	})
	if err != nil {
		return "", &brokenPromise{object: key, err: err}
	}
	return "made a Job by its schedule", s.until(ctx, key, "CronJob cron's Job to complete", func(ctx context.Context) (bool, string, error) {
		var cron batchv1.CronJob
		if _, err := s.get(ctx, key, &cron); err != nil {
			return false, "", err
		}
		switch {
		case cron.Status.LastSuccessfulTime != nil:
			return true, "", nil
		case len(cron.Status.Active) > 0:
			return false, "its Job " + cron.Status.Active[0].Name + " runs", nil
		}
		return false, "its controller has made no Job", nil
	})
}

// now is what the API servers' clocks show.
func (s *Smoke) now() time.Time {
	now := time.Now()
	if ahead := s.c.clock.offsetOrNil(); ahead != nil {
		now = now.Add(*ahead)
	}
	return now
}

// probes runs a container whose liveness probe fails, and one whose readiness probe does: the
// one is started anew, the other goes on and is not ready.
func (s *Smoke) probes(ctx context.Context) (string, error) {
	if err := s.make(ctx, "smoke/probed", smokeData{App: "probed"}); err != nil {
		return "", err
	}
	_, err := s.podIs(ctx, "probed", "to be restarted by its liveness probe, and be not ready by its readiness probe", func(pod corev1.Pod) string {
		var alive, ready corev1.ContainerStatus
		for _, status := range pod.Status.ContainerStatuses {
			if status.Name == "alive" {
				alive = status
			} else {
				ready = status
			}
		}
		switch {
		case len(pod.Status.ContainerStatuses) < 2:
			return runs(pod)
		case alive.RestartCount == 0:
			return "the container whose liveness probe fails is not started anew"
		case ready.Ready:
			return "the container whose readiness probe fails is ready"
		case ready.State.Running == nil || ready.RestartCount > 0: // it runs the same program, so it is not that which ends
			return "the container whose readiness probe fails does not go on running"
		}
		return ""
	})
	return "liveness restarts a container, readiness holds a Pod back", err
}

func (s *Smoke) limits(ctx context.Context) (string, error) {
	if err := s.make(ctx, "smoke/limited", smokeData{App: "limited"}); err != nil {
		return "", err
	}
	_, err := s.podIs(ctx, "limited", "to be ended at its memory limit", func(pod corev1.Pod) string {
		for _, status := range pod.Status.ContainerStatuses {
			switch ended := status.State.Terminated; {
			case ended == nil:
			case ended.Reason == "OOMKilled":
				return ""
			default:
				return fmt.Sprintf("it ended with %s, code %d, and not for its memory", ended.Reason, ended.ExitCode)
			}
		}
		return runs(pod)
	})
	return "a container over its memory limit is ended", err
}

func (s *Smoke) requests(ctx context.Context) (string, error) {
	if err := s.make(ctx, "smoke/greedy", smokeData{App: "greedy"}); err != nil {
		return "", err
	}
	_, err := s.podIs(ctx, "greedy", "to be refused by every node", turnedAway("Insufficient cpu"))
	return "a Pod that asks for more than any node has waits", err
}

// turnedAway is what keeps a Pod from being refused by the scheduler for a reason.
func turnedAway(reason string) func(corev1.Pod) string {
	return func(pod corev1.Pod) string {
		switch why := unscheduled(pod); {
		case pod.Spec.NodeName != "":
			return "it is on " + pod.Spec.NodeName
		case why == "":
			return "the scheduler has not looked at it"
		case !strings.Contains(why, reason):
			return why
		}
		return ""
	}
}

// budget has an eviction refused by a budget that allows none, and done by one that does.
func (s *Smoke) budget(ctx context.Context) (string, error) {
	if err := s.make(ctx, "smoke/budget", smokeData{App: "budget", Available: 1}); err != nil {
		return "", err
	}
	pod, err := s.podIs(ctx, "budget", "to run", runs)
	if err != nil {
		return "", err
	}
	key := s.key("policy/v1", "PodDisruptionBudget", "budget")
	err = s.until(ctx, key, "the budget to count its Pod", func(ctx context.Context) (bool, string, error) {
		var budget policyv1.PodDisruptionBudget
		_, err := s.get(ctx, key, &budget)
		return budget.Status.CurrentHealthy == 1, fmt.Sprintf("it counts %d", budget.Status.CurrentHealthy), err
	})
	if err != nil {
		return "", err
	}
	evict := func(ctx context.Context) error {
		return s.c.typed.CoreV1().Pods(s.Namespace()).EvictV1(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace}})
	}
	if why := refusedByBudget(evict(ctx)); why != "" {
		return "", &brokenPromise{object: key, node: pod.Spec.NodeName, err: errors.New("an eviction that leaves fewer Pods than the budget asks for: " + why)}
	}
	objects, err := s.render("smoke/budget", smokeData{App: "budget"})
	if err != nil {
		return "", err
	}
	if _, err := s.c.applyOnce(ctx, key, objects[0].body); err != nil {
		return "", &brokenPromise{object: key, err: err}
	}
	err = s.until(ctx, key, "the budget to allow an eviction", func(ctx context.Context) (bool, string, error) {
		err := evict(ctx)
		if err != nil && answered(err) {
			return false, refusal(err), nil
		}
		return err == nil, "", err
	})
	return "an eviction is refused, then allowed", err
}

// refusedByBudget is what is wrong with the answer to an eviction that a budget does not allow.
func refusedByBudget(err error) string {
	switch {
	case err == nil:
		return "it was allowed"
	case !strings.Contains(refusal(err), "disruption budget"):
		return err.Error()
	}
	return ""
}

// taints uses a taint that a node has already: one more would keep off the users' Pods.
func (s *Smoke) taints(ctx context.Context) (string, error) {
	at := slices.IndexFunc(s.nodes, func(node corev1.Node) bool { return len(hardTaints(node)) > 0 })
	if at < 0 {
		return "", notAsked("no node that can be asked has a taint")
	}
	node, taints := s.nodes[at], hardTaints(s.nodes[at])
	for _, app := range []string{"repelled", "tolerating"} {
		if err := s.make(ctx, "smoke/"+app, smokeData{App: app, Node: hostname(node), Taints: taints}); err != nil {
			return "", err
		}
	}
	if _, err := s.podIs(ctx, "repelled", "to be kept off by a taint", turnedAway("untolerated taint")); err != nil {
		return "", err
	}
	_, err := s.podIs(ctx, "tolerating", "to run where it tolerates the taint", runs)
	return fmt.Sprintf("%s of %s keeps off who does not tolerate it", taints[0].ToString(), node.Name), err
}

// hardTaints are a node's that keep Pods off.
func hardTaints(node corev1.Node) []corev1.Taint {
	return slices.DeleteFunc(slices.Clone(node.Spec.Taints), func(taint corev1.Taint) bool { return taint.Effect == corev1.TaintEffectPreferNoSchedule })
}

// selectors places a Pod by its node's label, and takes from it the label by which a Service
// finds it.
func (s *Smoke) selectors(ctx context.Context) (string, error) {
	node := s.plain[0]
	if err := s.make(ctx, "smoke/picked", smokeData{App: "picked", Node: hostname(node)}); err != nil {
		return "", err
	}
	pod, err := s.podIs(ctx, "picked", "to run", runs)
	if err != nil {
		return "", err
	}
	if pod.Spec.NodeName != node.Name {
		return "", &brokenPromise{object: s.key("v1", "Pod", "picked"), node: pod.Spec.NodeName, err: fmt.Errorf("it selects the node with %s=%s, which is %s", corev1.LabelHostname, hostname(node), node.Name)}
	}
	if err := s.endpoints(ctx, 1); err != nil {
		return "", err
	}
	err = s.c.persist(ctx, nil, func(ctx context.Context) error {
		without := []byte(`{"metadata":{"labels":{"slipway.dev/picked":null}}}`)
		_, err := s.c.typed.CoreV1().Pods(s.Namespace()).Patch(ctx, "picked", types.MergePatchType, without, metav1.PatchOptions{FieldManager: FieldManager})
		return err
	})
	if err != nil {
		return "", &brokenPromise{object: s.key("v1", "Pod", "picked"), err: err}
	}
	return "a node by its label, a Service's Pods by theirs", s.endpoints(ctx, 0)
}

// endpoints waits until a Service has found so many Pods.
func (s *Smoke) endpoints(ctx context.Context, want int) error {
	return s.until(ctx, s.key("v1", "Service", "picked"), fmt.Sprintf("Service picked to have %d Pods behind it", want), func(ctx context.Context) (bool, string, error) {
		slices, err := s.c.typed.DiscoveryV1().EndpointSlices(s.Namespace()).List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=picked"})
		if err != nil {
			return false, "", err
		}
		found := 0
		for _, slice := range slices.Items {
			found += len(slice.Endpoints)
		}
		return found == want, fmt.Sprintf("it has %d", found), nil
	})
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
