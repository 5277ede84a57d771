package phases

// Some trees are emptied by a reset with all that is in them, noted or not: the kubelet,
// etcd, Pods and kubeadm write there. They are the cluster's because they were empty
// when the host was claimed for it, which is checked here, before that.
