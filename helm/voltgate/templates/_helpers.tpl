{{- define "voltgate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "voltgate.fullname" -}}
{{- $name := include "voltgate.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "voltgate.selector" -}}
app.kubernetes.io/name: {{ include "voltgate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "voltgate.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "voltgate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "voltgate.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "voltgate.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "voltgate.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- /* The port of a bind, "0.0.0.0:8443" or "[::]:8443". */ -}}
{{- define "voltgate.port" -}}
{{- splitList ":" . | last -}}
{{- end -}}

{{- /* The ports, as a JSON list, of the listeners that are reachable from outside of the pod. */ -}}
{{- define "voltgate.stationPorts" -}}
{{- $ports := list -}}
{{- range .Values.config.listeners -}}
{{- if not (regexMatch "^(127\\.|\\[::1\\]|localhost:)" .bind) -}}
{{- $ports = append $ports (include "voltgate.port" .bind | int) -}}
{{- end -}}
{{- end -}}
{{- uniq $ports | toJson -}}
{{- end -}}

{{- /* The port of the file endpoint, where there is one that is reachable from outside of the pod. */ -}}
{{- define "voltgate.filesPort" -}}
{{- with .Values.config.files -}}
{{- $bind := .bind | default "0.0.0.0:8444" -}}
{{- if not (regexMatch "^(127\\.|\\[::1\\]|localhost:)" $bind) -}}
{{- include "voltgate.port" $bind -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* What the schema can't see, since it needs two values at once. */ -}}
{{- define "voltgate.check" -}}
{{- $token := .Values.config.admin.token | default "" -}}
{{- if hasPrefix "env:" $token -}}
{{- if not (hasKey .Values.secretEnv (trimPrefix "env:" $token)) -}}
{{- fail (printf "config.admin.token is %s, but secretEnv names no Secret for it: add secretEnv.%s with secretName and key" $token (trimPrefix "env:" $token)) -}}
{{- end -}}
{{- end -}}
{{- if not .Values.persistence.enabled -}}
{{- if hasPrefix "sqlite" .Values.config.store.url -}}
{{- fail "config.store.url is SQLite, but persistence.enabled is false: charging sessions would be lost with the pod. Enable it, or give a postgresql+asyncpg:// URL" -}}
{{- end -}}
{{- range $use, $authority := .Values.config.authority -}}
{{- if hasPrefix "/var/lib/voltgate/" (dig "local" "dir" "" ($authority | default dict)) -}}
{{- fail (printf "config.authority.%s.local.dir is on the volume, but persistence.enabled is false: the CA would be lost with the pod. Enable it, or name another authority" $use) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if eq (include "voltgate.stationPorts" .) "[]" -}}
{{- fail "config.listeners names no address that is reachable from outside of the pod: bind one to 0.0.0.0" -}}
{{- end -}}
{{- end -}}
