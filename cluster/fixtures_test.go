package cluster

import "regexp"

// prose is a comment of the example that is words and not YAML.
var prose = regexp.MustCompile(`^[A-Z]`)

// full uses every field there is, but for those of outside.
const full = `apiVersion: slipway.dev/v1alpha1
kind: Cluster
name: full
kubernetesVersion: v1.36.1
imageRepository: registry.example.com:5000/k8s
endpoint: {mode: vip, host: api.example.com, port: 7443, address: 192.0.2.100, vrrp: {interface: eth0.100, routerID: 51, preempt: true}}
networking:
  podSubnet: 10.10.0.0/16
  serviceSubnets: [10.20.0.0/16]
  dnsDomain: example.local
  addOn: none
ssh: &ssh
  user: admin
  port: 2222
  identityFile: ~/.ssh/id
  knownHostsFile: known_hosts
  proxyCommand: ssh -W %h:%p bastion
  certificateFile: id-cert.pub
  identityAgent: agent.sock
  config: ssh_config
  hostKeys: [SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU, ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJl3dIeudNqd0DPMRD6OIh65tjkxFNOtwGcWB2gCgPhk cp-1]
  passwordFile: login.txt
  becomePasswordFile: sudo.txt
  connectTimeout: 1m30s
  become: sudo
hosts:
  - name: cp-1.example.com
    address: 192.0.2.11
    roles: [control-plane, worker]
    labels: {disk: ssd, example.com/zone: "1", topology.kubernetes.io/zone: a}
    taints:
      - {key: example.com/gpu, value: "true", effect: NoSchedule}
    ssh: {<<: *ssh, host: cp-1, user: root, become: none}
  - name: worker-1
    addresses: [192.0.2.21]
    roles: [worker]
    ssh: {port: 22, jump: [ops@bastion.example.com:2022, {host: inner, port: 22, user: ops, identityFile: inner-key}]}
registries:
  - name: docker.io
    mirrors: [https://mirror.example.com, http://10.0.0.1:5000/v2]
    overridePath: true
  - name: "*"
    skipVerify: true
  - name: registry.example.com:5000
    caFile: ca.crt
    credentialsFile: creds
bundle: {trustedKeyFiles: [release.pub, own.pub]}
drain: {timeout: 10m, gracePeriod: 30s, onBlocked: force, forceAfter: 2m, force: true, deleteEmptyDirData: true}
upgrade: {keepVersions: 2, workersAtOnce: 10%}
timeouts: {controlPlaneComponentHealthCheck: 20m, kubeletHealthCheck: 10m, kubernetesAPICall: 3m, etcdAPICall: 1m, withoutProgress: 5m, limit: 1h}
prepare: {hostsFile: true, timeZone: Europe/Berlin, ntp: {servers: [ntp.example.com, 192.0.2.7]}}
firewall: {manage: false, nodePorts: false, hostNetworks: [192.0.2.0/24, "2001:db8::/64"]}
certificates:
  validity: 1h
  caValidity: 24h
  keyAlgorithm: RSA-2048
  extraSANs: [api.example.com, "*.example.com", 203.0.113.4, "2001:db8::1"]
extraArgs:
  apiServer: [{name: v, value: "4"}, {name: service-account-issuer, value: a}, {name: service-account-issuer, value: b}]
  controllerManager: [{name: node-cidr-mask-size, value: "25"}]
  scheduler: [{name: v, value: "2"}]
  etcd: [{name: quota-backend-bytes, value: "8589934592"}]
  kubelet: [{name: v, value: "2"}]
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
maxPods: 200
evictionHard: {memory.available: 200Mi}
containerLogMaxFiles: 3
nodeStatusUpdateFrequency: 10s
imageGCHighThresholdPercent: 80
kubeAPIBurst: 7
featureGates: {MemoryQoS: true}
logging: {format: json, flushFrequency: 5s, verbosity: 3}
registerWithTaints: []
systemReserved: {cpu: 100m}
memorySwap: {swapBehavior: NoSwap}
memoryThrottlingFactor: 0.8
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
conntrack: {maxPerCore: 0, tcpEstablishedTimeout: 24h}
`

// outside leaves to the user what can be left to him: its etcd and its load balancer.
const outside = `apiVersion: slipway.dev/v1alpha1
kind: Cluster
name: outside
endpoint: {mode: external, host: api.example.com}
etcd:
  external:
    endpoints: [https://192.0.2.31:2379, "https://etcd.example.com:2379/", "https://[2001:db8::1]:2379"]
    caFile: etcd-ca.crt
    certFile: etcd-client.crt
    keyFile: etcd-client.key
hosts:
  - {name: cp-1, address: 192.0.2.11, roles: [control-plane]}
  - {name: cp-2, address: 192.0.2.12, roles: [control-plane]}
`

// balanced has hosts that do nothing but balance the load.
const balanced = `apiVersion: slipway.dev/v1alpha1
kind: Cluster
name: balanced
endpoint: {host: 192.0.2.100}
hosts:
  - {name: cp-1, address: 192.0.2.11, roles: [control-plane]}
  - {name: cp-2, address: 192.0.2.12, roles: [control-plane]}
  - {name: cp-3, address: 192.0.2.13, roles: [control-plane]}
  - {name: lb-1, address: 192.0.2.21, roles: [load-balancer]}
  - {name: lb-2, address: 192.0.2.22, roles: [load-balancer]}
`
