package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/slipway-k8s/slipway/bundle/archive"
	"github.com/slipway-k8s/slipway/certs/store"
	"github.com/slipway-k8s/slipway/workflow"
)

// The user's own key to sign bundles with, in the state folder.
const (
	signingFolder  = "bundle"
	signingPrivate = "signing.pem"
	signingPublic  = "signing.pub"
)

// ownSigningKey is the user's own key, made at its first use; public is the file of its
// public half, for whoever is to trust it.
func ownSigningKey() (key ed25519.PrivateKey, public string, err error) {
	root, err := store.DefaultRoot()
	if err != nil {
		return nil, "", err
	}
	folder := filepath.Join(root, signingFolder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, "", fmt.Errorf("make the folder of the signing key: %w", err)
	}
	private := filepath.Join(folder, signingPrivate)
	if _, err := os.Lstat(private); errors.Is(err, fs.ErrNotExist) {
		if err := makeSigningKey(private); err != nil {
			return nil, "", err
		}
	}
	if key, err = readSigningKey(private); err != nil {
		return nil, "", err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, "", fmt.Errorf("encode the public key: %w", err)
	}
	public = filepath.Join(folder, signingPublic)
	return key, public, workflow.WritePrivate(public, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// makeSigningKey makes a key, and keeps the one that is there should somebody else have made
// one meanwhile: bundles may be signed by it already.
func makeSigningKey(path string) error {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("make the signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("make the signing key: %w", err)
	}
	fresh, err := os.MkdirTemp(filepath.Dir(path), ".fresh-*")
	if err != nil {
		return fmt.Errorf("make the signing key: %w", err)
	}
	defer os.RemoveAll(fresh)
	made := filepath.Join(fresh, signingPrivate)
	if err := workflow.WritePrivate(made, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})); err != nil {
		return err
	}
	if err := os.Link(made, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the signing key: %w", err)
	}
	return nil
}

func readSigningKey(path string) (ed25519.PrivateKey, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the signing key: %w", err)
	}
	key, err := archive.ParsePrivateKey(content)
	if err != nil {
		return nil, fmt.Errorf("read the signing key %s: %w", path, err)
	}
	return key, nil
}
