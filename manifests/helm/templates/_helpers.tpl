{{/* The name of everything; an operator of a class has the class in it, as its Lease has. */}}
{{- define "operator.name" -}}
text-to-image-operator{{ with .Values.className }}-{{ . }}{{ end }}
{{- end }}

{{- define "operator.image" -}}
{{ .Values.image.repository }}{{ with .Values.image.digest }}@{{ . }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* Refuses variables that go round a value: rights and names go by the value. */}}
{{- define "operator.refused" -}}
{{- $values := dict "T2I_SERVICE_IMAGE" "serviceImage" "T2I_JAEGER_IMAGE" "jaegerImage" }}
{{- range $value := list "namespaces" "className" "logLevel" }}
{{- $_ := set $values (print "T2I_OPERATOR_" ($value | snakecase | upper)) $value }}
{{- end }}
{{- range .Values.env }}
{{- $variable := .name }}
{{- with get $values $variable }}
{{- fail (printf "env: set the value %s in place of the variable %s" . $variable) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "operator.selector" -}}
app.kubernetes.io/name: text-to-image-operator
app.kubernetes.io/instance: {{ include "operator.name" . }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "operator.labels" -}}
app.kubernetes.io/name: text-to-image-operator
app.kubernetes.io/instance: {{ include "operator.name" . }}
app.kubernetes.io/part-of: text-to-image-operator
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* A binding of the ServiceAccount to a role; give "root", "kind", "name" and, for a Role, "namespace". */}}
{{- define "operator.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "operator.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "operator.name" .root }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}
