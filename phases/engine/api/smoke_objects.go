package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/templates"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// labelSmoke is on all that smoke makes; its value is the run's.
const labelSmoke = "slipway.dev/smoke"

// smokePrefix begins the name of every namespace of smoke, and of its volume.
const smokePrefix = "slipway-smoke-"

// SmokeOptions are what a Smoke works with.
type SmokeOptions struct {
	ID     string // of this run: a few letters and digits that no other has
	Secret string // what its Secret holds
	// KubeletFolder is where the nodes' kubelets keep Pods' volumes.
	KubeletFolder string
}

// Smoke asks a cluster to keep what it promises, in a namespace of its own. It changes no node.
type Smoke struct {
	SmokeOptions
	c        *Client
	promises []smokePromise
	moves    smokeMoves

	image   string
	nodes   []corev1.Node // that are Ready and not cordoned, and whose hosts are connected
	plain   []corev1.Node // those of them that take Pods which tolerate only what marks a control plane
	left    []string      // why other nodes are not asked
	tainted []string      // why nodes that are asked take no Pod that is placed by the scheduler
}

// smokePromise is a row: what a cluster promises, what has to be kept before it can be asked, how
// it is proven, and what to do where it is broken.
type smokePromise struct {
	name  string
	after string // another promise, on whose objects it builds
	prove func(*Smoke, context.Context) (detail string, err error)
	fix   string
}

// smokeNode is what is kept of a node.
func smokeNode(node corev1.Node) corev1.Node {
	return corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: node.Name, Labels: node.Labels},
		Spec:       corev1.NodeSpec{Taints: node.Spec.Taints, Unschedulable: node.Spec.Unschedulable},
		Status:     corev1.NodeStatus{Addresses: node.Status.Addresses, Conditions: node.Status.Conditions},
	}
}

// choose takes the nodes that can be asked, workers first, and says why it leaves out others.
func (s *Smoke) choose(nodes []corev1.Node) {
	s.nodes, s.plain, s.left, s.tainted = nil, nil, nil, nil
	slices.SortStableFunc(nodes, func(a, b corev1.Node) int { return len(a.Spec.Taints) - len(b.Spec.Taints) })
	for _, node := range nodes {
		switch {
		case !readyNode(node):
			s.left = append(s.left, node.Name+" is not Ready")
		case node.Spec.Unschedulable:
			s.left = append(s.left, node.Name+" is cordoned")
		case s.c.all[node.Name] == nil:
			s.left = append(s.left, node.Name+" is not connected")
		default:
			s.nodes = append(s.nodes, node)
			i := slices.IndexFunc(node.Spec.Taints, repels)
			if i < 0 {
				s.plain = append(s.plain, node)
			} else {
				s.tainted = append(s.tainted, node.Name+" has the taint "+node.Spec.Taints[i].ToString())
			}
		}
	}
}

func readyNode(node corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(condition corev1.NodeCondition) bool {
		return condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue
	})
}

// repels tells whether a taint keeps off Pods that tolerate only what marks a control plane.
func repels(taint corev1.Taint) bool {
	return taint.Key != "node-role.kubernetes.io/control-plane" && taint.Effect != corev1.TaintEffectPreferNoSchedule
}

// findImage finds the image that every node runs kube-proxy of.
func (s *Smoke) findImage(ctx context.Context) error {
	var set struct {
		Spec struct {
			Template struct{ Spec corev1.PodSpec }
		}
	}
	err := s.c.persist(ctx, nil, func(ctx context.Context) error {
		return s.c.read(ctx, "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy", &set)
	})
	if err != nil {
		return fmt.Errorf("find an image that every node has: %w", err)
	}
	if len(set.Spec.Template.Spec.Containers) == 0 {
		return errors.New("find an image that every node has: kube-proxy's DaemonSet has no container")
	}
	s.image = set.Spec.Template.Spec.Containers[0].Image
	return nil
}

// Namespace is where all is made that has one.
func (s *Smoke) Namespace() string { return smokePrefix + s.ID }

// SmokeNamespace is the namespace as a run makes it.
func SmokeNamespace(id string) (hosts.ObjectKey, []byte, error) {
	made, err := (&Smoke{SmokeOptions: SmokeOptions{ID: id}}).render("smoke.yaml", smokeData{})
	if err != nil {
		return hosts.ObjectKey{}, nil, err
	}
	return made[0].key, made[0].body, nil
}

// smokeData is what a template's block depends on beside the run.
type smokeData struct {
	App       string // the name of its objects, and their label
	Word      string // what its files say
	Node      string // the value of the label of the node that it is for
	Nodes     []string
	Taints    []corev1.Taint
	Volume    string
	Available int
}

type smokeObject struct {
	key  hosts.ObjectKey
	body []byte // JSON
}

// render makes the objects of a block of the template.
func (s *Smoke) render(block string, data smokeData) ([]smokeObject, error) {
	text, err := templates.Render(block, struct {
		smokeData
		ID, Namespace, Image, Secret, Path string
	}{data, s.ID, s.Namespace(), s.image, s.Secret, s.file(data)})
	if err != nil {
		return nil, err
	}
	var made []smokeObject
	for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
		body, err := yaml.YAMLToJSON(document)
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", block, err)
		}
		var meta metav1.PartialObjectMetadata
		if err := json.Unmarshal(body, &meta); err != nil {
			return nil, fmt.Errorf("render %s: %w", block, err)
		}
		made = append(made, smokeObject{hosts.ObjectKey{APIVersion: meta.APIVersion, Kind: meta.Kind, Namespace: meta.Namespace, Name: meta.Name}, body})
	}
	return made, nil
}

// Files that Pods serve.
const (
	configFile = "/config/version"
	secretFile = "/secret/word"
	stateFile  = "/state"
)

// The words that files say, first and after a rollout.
const (
	wordOne = "one"
	wordTwo = "two"
)

// file is what a Pod's probe asks for.
func (s *Smoke) file(data smokeData) string {
	if data.Volume != "" {
		return stateFile
	}
	return configFile
}

// make applies the objects of a block.
func (s *Smoke) make(ctx context.Context, block string, data smokeData) error {
	objects, err := s.render(block, data)
	if err != nil {
		return err
	}
	for _, object := range objects {
		body := func(string) ([]byte, error) { return object.body, nil }
		if _, err := s.c.apply(ctx, plan.Apply{Object: object.key, Secret: object.key.Kind == "Secret"}, body, nil); err != nil {
			return &brokenPromise{object: object.key, err: err}
		}
	}
	return nil
}

// Begin makes the namespace, and waits until kube-controller-manager has taken it up: no Pod is accepted before. One that
// has just been started again waits for its lease, up to two minutes by docs/waits.md. Where it never does, the
// promises say what comes of that.
func (s *Smoke) Begin(ctx context.Context) error {
	if err := s.make(ctx, "smoke.yaml", smokeData{}); err != nil {
		return err
	}
	account := s.key("v1", "ServiceAccount", "default")
	_, _ = s.c.until(ctx, "kube-controller-manager to make "+account.String(), int(takenUp/time.Second), nil, func(ctx context.Context) (verdict, error) {
		object, err := s.c.object(ctx, account)
		return verdict{done: object != nil}, err
	})
	return ctx.Err()
}

func (s *Smoke) key(apiVersion, kind, name string) hosts.ObjectKey {
	return hosts.ObjectKey{APIVersion: apiVersion, Kind: kind, Namespace: s.Namespace(), Name: name}
}

func hostname(node corev1.Node) string { return node.Labels[corev1.LabelHostname] }

func names(nodes []corev1.Node) string {
	var all []string
	for _, node := range nodes {
		all = append(all, node.Name)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
