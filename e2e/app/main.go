// Command app is what the end-to-end tests run in Pods: a web server that tells its
// version and node, and the two questions that a Pod asks of its cluster.
//
//	app serve            answers on :8080
//	app fetch URL        prints what a URL answers
//	app ask URL          asks again and again until its standard input ends, each time once more
//	                     where there was no answer, and says of each as e2e/acks reads it
//	app resolve NAME     prints the addresses of a name
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// version is set when building.
var version = "unset"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 1 && args[0] == "serve":
		return serve()
	case len(args) == 2 && args[0] == "fetch":
		return fetch(args[1])
	case len(args) == 2 && args[0] == "ask":
		ask(args[1])
		return nil
	case len(args) == 2 && args[0] == "resolve":
		return resolve(args[1])
	}
	return fmt.Errorf("usage: app serve | fetch URL | ask URL | resolve NAME")
}

func serve() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	server := &http.Server{Addr: ":8080", ReadHeaderTimeout: 5 * time.Second}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "version %s on %s\n", version, os.Getenv("NODE_NAME"))
	})
	context.AfterFunc(ctx, func() {
		shutdown, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(shutdown)
	})
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func fetch(url string) error {
	client := &http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}

// ask is a client that retries once. Each request has a connection of its own, and so may reach
// another Pod.
func ask(url string) {
	const patience, interval, between = 2 * time.Second, 50 * time.Millisecond, 100 * time.Millisecond
	ctx, end := context.WithCancel(context.Background())
	go func() { // whoever started it closes its input
		_, _ = io.Copy(io.Discard, os.Stdin)
		end()
	}()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for n := 1; ctx.Err() == nil; n++ {
		err := get(ctx, client, url)
		if err != nil && ctx.Err() == nil {
			<-time.After(between)
			err = get(ctx, client, url)
		}
		now := time.Now().UnixNano()
		switch {
		case ctx.Err() != nil:
		case err == nil:
			fmt.Printf("ok %d %d\n", n, now)
		default:
			fmt.Printf("no %d %d %s\n", n, now, strings.ReplaceAll(err.Error(), "\n", " "))
		}
		<-ticker.C
	}
}

func get(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

func resolve(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, name)
	if err != nil {
		return err
	}
	fmt.Println(strings.Join(addresses, " "))
	return nil
}
