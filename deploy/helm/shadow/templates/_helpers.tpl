{{- define "shadow.name" -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}

{{- define "shadow.switch" -}}
{{ include "shadow.name" . }}-switch
{{- end -}}

{{/* Whether pods are mirrored from inside. */}}
{{- define "shadow.inside" -}}
{{- if and .Values.presets.pods.enabled .Values.presets.tests.enabled -}}
{{- fail "presets.pods and presets.tests exclude each other: each says which pods are mirrored" -}}
{{- end -}}
{{- if or .Values.presets.pods.enabled .Values.presets.tests.enabled -}}true{{- end -}}
{{- end -}}

{{/* Whether a new pod takes over from the old one of its node. */}}
{{- define "shadow.surge" -}}
{{- $surge := .Values.updateStrategy.maxSurge | toString -}}
{{- if not (has $surge (list "" "0" "0%")) -}}
{{- if include "shadow.inside" . -}}
{{- fail "updateStrategy.maxSurge excludes presets.pods and presets.tests: their agents cannot take over" -}}
{{- end -}}
true
{{- end -}}
{{- end -}}

{{- define "shadow.selector" -}}
app.kubernetes.io/name: shadow
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "shadow.labels" -}}
{{ include "shadow.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "shadow.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "shadow.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if .Values.presets.hostNetwork.enabled -}}
{{- $_ := set $config.capture "interfaces" .Values.presets.hostNetwork.interfaces -}}
{{- $_ := set $config.capture "requests" "ingress" -}}
{{- end -}}
{{- if include "shadow.inside" . -}}
{{- $pods := dict -}}
{{- if .Values.presets.tests.enabled -}}
{{- $tests := .Values.presets.tests -}}
{{- $policy := dict "namespaces" $tests.namespaces "most_sample" $tests.mostSample "writes" $tests.writes -}}
{{- $_ := set $pods "tests" $policy -}}
{{- $_ := unset $config.shadow "url" -}}
{{- else -}}
{{- $pods = deepCopy .Values.presets.pods.kubernetes -}}
{{- end -}}
{{- $_ := set $pods "socket" "/run/shadow-discover/agent.sock" -}}
{{- $_ := set $pods "group" (.Values.presets.pods.user | toString) -}}
{{- $_ := set $pods "kill_switch" (printf "%s/%s" $.Release.Namespace (include "shadow.switch" $)) -}}
{{- $_ := set $config.capture "kubernetes" $pods -}}
{{- $agent := deepCopy (default dict $config.agent) -}}
{{- $_ := set $agent "kill_file" "/run/shadow-discover/kill" -}}
{{- $_ := set $config "agent" $agent -}}
{{- $_ := set $config.capture "namespace_interfaces" .Values.presets.pods.interfaces -}}
{{- $_ := set $config.capture "interfaces" list -}}
{{- $_ := set $config.capture "targets" list -}}
{{- end -}}
{{- if include "shadow.surge" . -}}
{{- $agent := deepCopy (default dict $config.agent) -}}
{{- $_ := set $agent "take_over" true -}}
{{- $_ := set $agent "after_handover" "wait" -}}
{{- $_ := set $config "agent" $agent -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}
