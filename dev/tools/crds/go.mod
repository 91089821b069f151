// The CRDs of other products, applied from the modules' folder config/crd; nothing of them is built.
module text-to-image-operator/dev/tools/crds

go 1.24.2

require (
	github.com/grafana/grafana-operator/v5 v5.19.4
	sigs.k8s.io/gateway-api v1.4.1
)
