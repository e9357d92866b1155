{{- define "shadow.name" -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}

{{- define "shadow.switch" -}}
{{ include "shadow.name" . }}-switch
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
{{- with .Values.presets.pods -}}
{{- if .enabled -}}
{{- $pods := deepCopy .kubernetes -}}
{{- $_ := set $pods "socket" "/run/shadow-discover/agent.sock" -}}
{{- $_ := set $pods "group" (.user | toString) -}}
{{- $_ := set $pods "kill_switch" (printf "%s/%s" $.Release.Namespace (include "shadow.switch" $)) -}}
{{- $_ := set $config.capture "kubernetes" $pods -}}
{{- $agent := deepCopy (default dict $config.agent) -}}
{{- $_ := set $agent "kill_file" "/run/shadow-discover/kill" -}}
{{- $_ := set $config "agent" $agent -}}
{{- $_ := set $config.capture "namespace_interfaces" .interfaces -}}
{{- $_ := set $config.capture "interfaces" list -}}
{{- $_ := set $config.capture "targets" list -}}
{{- end -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}
