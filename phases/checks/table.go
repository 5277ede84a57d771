package checks

import (
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// The workflows in which checks are asked.
var (
	initOnly  = []view.Workflow{view.Init}
	joinOnly  = []view.Workflow{view.Join}
	resetOnly = []view.Workflow{view.Reset}
	remove    = []view.Workflow{view.Remove}
	haTest    = []view.Workflow{view.HATest}
	imageLoad = []view.Workflow{view.ImageLoad}
	tests     = []view.Workflow{view.HATest, view.Smoke}
	upgrade   = []view.Workflow{view.Upgrade}
	rollback  = []view.Workflow{view.Rollback}
	inTurns   = []view.Workflow{view.Upgrade, view.Rollback, view.Reboot}
	running   = []view.Workflow{view.Init, view.Upgrade} // they change all of a cluster
	whole     = []view.Workflow{view.Stop, view.Start, view.Reboot}
	reboot    = []view.Workflow{view.Reboot}
	initJoin  = []view.Workflow{view.Init, view.Join, view.Upgrade}
	drainOnly = []view.Workflow{view.Drain}
	schedule  = []view.Workflow{view.Cordon, view.Uncordon, view.Drain}
	fresh     = []view.Workflow{view.Init, view.Prepare}
	install   = []view.Workflow{view.Init, view.Join, view.Prepare, view.Upgrade}
	leave     = []view.Workflow{view.Reset, view.Remove}
	planning  = []view.Workflow{view.Init, view.Join, view.Prepare, view.Reset, view.Remove, view.ImageLoad, view.Upgrade, view.Rollback, view.Stop, view.Start, view.Reboot}
	every     = slices.Concat(tests, planning, schedule)
)

// Why some checks cannot be ignored.
const (
	unreachedNeeded  = "nothing can be done on a host that is not reached, and what it holds is not known"
	machineNeeded    = "the changes would be made on a machine that is not this host"
	membershipNeeded = "a host of another cluster, or one that comes the wrong way, breaks the cluster that it is in"
	rolesNeeded      = "only a reset takes a role from a host in the order that etcd and the endpoint's clients outlive"
	apiNeeded        = "only an API server tells who is in the cluster"
	etcdNeeded       = "an etcd that begins without its data, or with another's, makes a second cluster beside the first"
	quorumNeeded     = "an etcd without a quorum takes no write, and may not come back"
	addressNeeded    = "two machines with one address take the API away from each other"
	versionNeeded    = "what runs would be changed to another version in no order"
	endpointNeeded   = "all kubelets and certificates go by the endpoint that the cluster has"
	dataNeeded       = "what lies there would count as the cluster's, and a reset would remove it"
	spareNeeded      = "the test would stop what the cluster cannot do without"
)

// perThing are the checks whose findings are named with the one thing that each is about, as
// Finding.of does it.
var perThing = []string{"DirAvailable", "FileAvailable", "FileExisting", "Port", "Traffic"}

// Table has all checks: name, scope, severity, workflows, look, and why it cannot be ignored (empty:
// it can).
var Table = []Check{
	{"Hosts", Cluster, Error, every, ofCluster(unknownHosts), "there is no such host"},
	{"Answers", File, Error, planning, unanswered, "what did not answer looks like what is not there, an etcd's data among it"},
	{"Machine", File, Error, every, wrongMachine, machineNeeded},
	{"Connection", Cluster, Error, slices.Concat(imageLoad, rollback, install), ofCluster(unreachedTargets), unreachedNeeded},
	{"LeftOut", Cluster, Error, slices.Concat(upgrade, rollback), ofCluster(wrongLeftOut), "only what is down is left as it is while the others change"},
	{"Connection", Cluster, Error, whole, ofCluster(unreachedTargets), unreachedNeeded},
	{"Connection", Cluster, Error, resetOnly, ofCluster(unreachedLeaving), unreachedNeeded},
	{"Connection", Cluster, Error, haTest, ofCluster(unreachedBalancing), unreachedNeeded},

	// The bundle, the file and what runs.
	{"KubernetesVersion", Cluster, Error, install, ofCluster(otherBundle), versionNeeded},
	{"KubernetesVersion", Cluster, Error, initOnly, ofCluster(otherVersion), versionNeeded},
	{"KubernetesVersion", Cluster, Error, upgrade, ofCluster(upgradeSkew), versionNeeded},
	{"KubernetesVersion", Cluster, Error, rollback, ofCluster(rollbackSkew), versionNeeded},
	{"HalfUpgraded", Host, Error, upgrade, halfUpgraded, "a host of two versions could not be put back"},
	{"KeptVersion", Host, Error, rollback, brokenKept, "what is not whole cannot be put back"},
	{"KubeletVersion", Cluster, Error, joinOnly, ofCluster(kubeletSkew), ""},
	{"EtcdStartGuard", Cluster, Error, install, ofCluster(unguardedEtcd), etcdNeeded},
	{"Platform", Host, Error, install, otherPlatform, ""},
	{"ImagePlatform", Node, Error, imageLoad, otherImagePlatform, ""},

	// Who is in the cluster, and who may come and go.
	{"APIServer", Cluster, Error, joinOnly, ofCluster(silentForJoin), apiNeeded},
	{"APIServer", Cluster, Error, resetOnly, ofCluster(silentForReset), apiNeeded},
	{"APIServer", Cluster, Error, remove, ofCluster(silentForRemove), apiNeeded},
	{"APIServer", Cluster, Error, tests, ofCluster(silentForTest), apiNeeded},
	{"APIServer", Cluster, Error, slices.Concat(upgrade, rollback), ofCluster(silentForUpgrade), apiNeeded},
	{"APIServer", Cluster, Error, slices.Concat(schedule, reboot), ofCluster(silentForSchedule), apiNeeded},
	{"APIAvailability", Cluster, Warning, reboot, ofCluster(awayWhileRebooting), ""},
	{"Nodes", Cluster, Error, schedule, ofCluster(withoutNode), "there is no such node"},
	{"Drain", Cluster, Error, drainOnly, ofCluster(blockedDrains), ""},
	{"Membership", Cluster, Error, running, ofCluster(notYetJoined), membershipNeeded},
	{"Membership", Cluster, Error, joinOnly, ofCluster(halfMade), membershipNeeded},
	{"Membership", Cluster, Error, resetOnly, ofCluster(unknownToFile), membershipNeeded},
	{"Membership", Cluster, Error, leave, ofCluster(lastOfItsRole), membershipNeeded},
	{"Membership", Cluster, Error, remove, ofCluster(stillAlive), membershipNeeded},
	{"Membership", Node, Error, imageLoad, inNoCluster, membershipNeeded},
	{"Roles", File, Error, install, otherRole, rolesNeeded},
	{"CertificateAuthority", Host, Error, install, otherAuthority, membershipNeeded},
	{"ClusterSettings", Node, Error, joinOnly, unmetSettings, ""},
	{"Return", Cluster, Warning, remove, ofCluster(mayReturn), ""},

	// etcd.
	{"EtcdData", ControlPlane, Error, running, lostEtcdData, etcdNeeded},
	{"EtcdMembers", Cluster, Error, joinOnly, ofCluster(membersInTheWay), etcdNeeded},
	{"Quorum", Cluster, Error, joinOnly, ofCluster(quorumForJoin), quorumNeeded},
	{"Quorum", Cluster, Error, leave, ofCluster(quorumForLeaving), quorumNeeded},
	{"Quorum", Cluster, Error, reboot, ofCluster(quorumForReboot), quorumNeeded},
	{"Quorum", Cluster, Error, haTest, ofCluster(tooFewToSpare), spareNeeded},
	{"EtcdMemberCount", Cluster, Warning, initJoin, ofCluster(evenMembers), ""},
	{"EtcdMemberCount", Cluster, Warning, leave, ofCluster(evenRest), ""},
	{"EtcdDisk", ControlPlane, Error, install, slowEtcdDisk, ""},
	{"ExternalEtcd", ControlPlane, Error, install, unreachedEtcd, ""},
	{"ExternalEtcd", Cluster, Warning, resetOnly, ofCluster(keptEtcd), ""},

	// The endpoint.
	{"Endpoint", Cluster, Error, initJoin, ofCluster(movedEndpoint), endpointNeeded},
	{"Endpoint", File, Error, install, lostBalancer, endpointNeeded},
	{"Endpoint", Cluster, Error, install, ofCluster(ownBalancer), endpointNeeded},
	{"Endpoint", Cluster, Error, haTest, ofCluster(singleEndpoint), endpointNeeded},
	{"EndpointName", Node, Error, install, wrongEndpointName, ""},
	{"LoadBalancer", Node, Error, install, unreachedBalancer, ""},
	{"VirtualIP", Balancer, Error, install, wrongVirtualIP, addressNeeded},
	{"VirtualIP", Cluster, Error, joinOnly, ofCluster(untoldHolders), addressNeeded},
	{"VirtualIP", Cluster, Error, remove, ofCluster(heldUnseen), addressNeeded},

	// The system.
	{"IsPrivilegedUser", Host, Error, install, unprivileged, ""},
	{"SystemVerification-Kernel", Host, Error, install, oldKernel, ""},
	{"SystemVerification-Systemd", Host, Error, install, oldSystemd, ""},
	{"SystemVerification-Cgroups", Node, Error, install, missingCgroups, ""},
	{"SystemVerification-OverlayFS", Node, Warning, install, noOverlayFS, ""},
	{"SystemVerification-Modules", Node, Error, install, missingModules, ""},
	{"SystemVerification-PacketFilter", Node, Error, install, noPacketFilter, ""},
	{"NumCPU", ControlPlane, Error, install, fewCPUs, ""},
	{"Mem", ControlPlane, Error, install, littleMemory, ""},
	{"Mem", Host, Warning, install, littleMemoryElsewhere, ""},
	{"MountOptions", Host, Error, install, badMounts, ""},
	{"FileContent", Node, Error, install, fixedParameters, ""},
	{"Disk", Host, Error, install, fullDisks, ""},
	{"Clock", Host, Error, install, wrongClock, ""},
	{"Clock", Cluster, Warning, install, ofCluster(operatorsClock), ""},
	{"NTP", Host, Warning, install, unkeptClock, ""},
	{"Swap", Node, Warning, install, swapOn, ""},
	{"TimeService", Host, Error, install, noTimeService, ""},
	{"SELinux", Host, Error, install, unlabelled, ""},
	{"NextBoot", Node, Error, install, undoneAtBoot, ""},
	{"CRI", Node, Error, imageLoad, noContainerd, ""},

	// What is there already.
	{"ForeignSoftware", Host, Error, install, foreignSoftware, ""},
	{"DirAvailable", Node, Error, install, occupiedFolders, dataNeeded},
	{"FileAvailable", Node, Error, install, otherNetworkConfigs, ""},
	{"FileExisting", ControlPlane, Error, install, missingVolumes, ""},
	{"FileExisting", Node, Error, install, missingPrograms, ""},
	{"Leftovers", Host, Error, install, leftBehind, ""},
	{"PathPermissions", Balancer, Error, install, closedWay, ""},
	{"MachineID", Host, Error, install, copiedMachine, ""},
	{"ProductUUID", Host, Warning, install, sameUUID, ""},
	{"MACAddress", Host, Error, install, sameMAC, ""},
	{"Hostname", Host, Warning, install, sameHostname, ""},
	{"HostsFile", Host, Warning, install, noLocalhost, ""},

	// The network.
	{"HostAddress", Host, Error, install, missingAddresses, ""},
	{"HostAddress", Node, Error, install, apartAddresses, ""},
	{"AddressConflict", Host, Error, install, conflictingAddresses, ""},
	{"LeasedAddress", Host, Warning, install, leasedAddresses, ""},
	{"HostRoute", Host, Warning, install, otherWays, ""},
	{"IPv6", Node, Error, install, noIPv6, ""},
	{"Port", Host, Error, install, takenPorts, ""},
	{"Traffic", Cluster, Error, install, ofCluster(brokenTraffic), ""},
	{"PathMTU", Cluster, Error, install, ofCluster(smallPaths), ""},
	{"Firewalld", Host, Error, install, firewall(hosts.Firewalld, firewalldRules), ""},
	{"Firewalld", Host, Warning, install, refusing(hosts.Firewalld), ""},
	{"FirewalldUnsaved", Host, Error, resetOnly, unsavedAtReset, "the reset would fail at its end, when all else is gone from the host"},
	{"Ufw", Host, Error, install, firewall(hosts.UFW, ufwRules), ""},
	{"Ufw", Host, Error, install, keptIn, ""},
	{"Ufw", Host, Warning, install, refusing(hosts.UFW), ""},
	{"Firewall", Host, Error, install, filtersByHand, ""},
	{"Firewall", Cluster, Warning, joinOnly, ofCluster(strangeNetwork), ""},
	{"AddressPlan", Node, Error, install, overlappingSubnets, ""},
	{"NetworkAddOn", Node, Error, running, lostNetwork, ""},
	{"Networking", Cluster, Error, initJoin, ofCluster(movedNetworking), ""},
	{"ServiceRoute", Node, Warning, install, noServiceRoute, ""},
	{"NameServers", Node, Error, install, noNameServer, ""},
	{"SearchDomains", Node, Warning, install, manySearchDomains, ""},
	{"HTTPProxy", Node, Warning, install, proxiedHosts, ""},
	{"HTTPProxyCIDR", Node, Warning, install, proxiedSubnets, ""},
	{"NameServers", Cluster, Warning, fresh, ofCluster(noNameServers), ""},

	{"UnknownSettings", Cluster, Error, upgrade, ofCluster(unknownSettings), ""},
	{etcdSnapshot, Cluster, Error, upgrade, ofCluster(withoutSnapshot), ""},
	{"ClusterHealth", Cluster, Error, upgrade, ofCluster(unwellForUpgrade), ""},
	{"CertificateExpiration", Cluster, Error, upgrade, ofCluster(endingAuthorities), ""},
	{"CertificateExpiration", Node, Error, upgrade, endingCertificates, ""},
	{"DeprecatedAPIs", Cluster, Error, upgrade, ofCluster(deprecatedAPIs), ""},
	{"Drain", Cluster, Error, inTurns, ofCluster(blockedTurns), ""},
	{"Health", Cluster, Error, haTest, ofCluster(unwell), spareNeeded},
	{"Health", File, Error, haTest, downUnits, spareNeeded},
}
