// The CRDs of the Gateway API, applied from the module's folder config/crd/standard; nothing of it is built.
module text-to-image-operator/dev/tools/gateway-api

go 1.24.0

require sigs.k8s.io/gateway-api v1.4.1
