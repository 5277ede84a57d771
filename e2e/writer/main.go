// Command writer creates one small object after another through the cluster's endpoint and
// says which were acknowledged when: what a client sees of a lost control plane. It uses
// client-go on one reused connection, and gives each request a second.
//
//	writer KUBECONFIG NAMESPACE [DEPLOYMENT]
//
// Each line is ok or no, the object's number, the time in nanoseconds since 1970 and, after
// no, the error. Of a Deployment in the namespace it says also, as available, how many of its Pods
// are. It ends when its standard input does.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/slipway-k8s/slipway/e2e/acks"
)

const (
	patience = time.Second           // of one request
	interval = 20 * time.Millisecond // between two of them
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "writer:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 || len(args) > 3 {
		return fmt.Errorf("usage: writer KUBECONFIG NAMESPACE [DEPLOYMENT]")
	}
	config, err := clientcmd.BuildConfigFromFlags("", args[0])
	if err != nil {
		return err
	}
	config.Timeout, config.QPS = patience, -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(context.Background())
	go func() { // whoever started it closes its input
		_, _ = io.Copy(io.Discard, os.Stdin)
		end()
	}()
	out := &lines{out: bufio.NewWriter(os.Stdout)}
	if len(args) == 3 {
		go watch(ctx, client, args[1], args[2], out)
	}
	write(ctx, client, args[1], out)
	return nil
}

// lines writes one line at a time.
type lines struct {
	mu  sync.Mutex
	out *bufio.Writer
}

func (l *lines) print(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.out, format+"\n", args...)
	_ = l.out.Flush()
}

// watch says how many Pods of a Deployment are available, as often as an API server answers.
func watch(ctx context.Context, client kubernetes.Interface, namespace, name string, out *lines) {
	const often = 200 * time.Millisecond
	ticker := time.NewTicker(often)
	defer ticker.Stop()
	for ctx.Err() == nil {
		if found, err := client.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{}); err == nil {
			out.print("available %d %d", found.Status.AvailableReplicas, time.Now().UnixNano())
		}
		<-ticker.C
	}
}

// write makes objects until the context ends. One that may or may not have been made is
// given up: the next has another number, so nothing is written twice.
func write(ctx context.Context, client kubernetes.Interface, namespace string, out *lines) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for n := 1; ctx.Err() == nil; n++ {
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: acks.Name(n)}}
		_, err := client.CoreV1().ConfigMaps(namespace).Create(ctx, object, metav1.CreateOptions{})
		now := time.Now().UnixNano()
		switch {
		case ctx.Err() != nil:
		case err == nil, apierrors.IsAlreadyExists(err): // client-go itself tried twice
			out.print("ok %d %d", n, now)
		default:
			out.print("no %d %d %s", n, now, strings.ReplaceAll(err.Error(), "\n", " "))
		}
		<-ticker.C
	}
}
