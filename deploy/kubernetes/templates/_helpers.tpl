{{/* Becomes part of names of workers on the bus: no dots there, and no more than 63 characters with what follows. */}}
{{- define "mim.fullname" -}}
{{- $name := ternary .Release.Name (printf "%s-mim" .Release.Name) (contains "mim" .Release.Name) -}}
{{- $name | replace "." "-" | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* What selects the pods of the whole chart, without those of NATS. */}}
{{- define "mim.selector" -}}
app.kubernetes.io/name: mim
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "mim.labels" -}}
{{ include "mim.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "mim.natsUrl" -}}
{{- .Values.natsUrl | default (printf "nats://%s:4222" (.Values.nats.fullnameOverride | default "mim-nats")) -}}
{{- end -}}

{{/* Whether a service keeps a SQLite file. */}}
{{- define "mim.hasFile" -}}
{{- if and (has .name (list "message-store" "webhooks")) (not .root.Values.secrets.database.name) }}true{{ end -}}
{{- end -}}

{{/* The most pods that a service may get. */}}
{{- define "mim.most" -}}
{{- $scaling := .autoscaling | default dict -}}
{{- ternary $scaling.maxReplicas .replicas (default false $scaling.enabled) | int -}}
{{- end -}}

{{/* What no schema can say. */}}
{{- define "mim.check" -}}
{{- $values := .Values -}}
{{- if not (or $values.nats.enabled $values.natsUrl) -}}
{{- fail "there is no NATS server: set nats.enabled, or natsUrl to one of yours" -}}
{{- end -}}
{{- with $values.nats.config -}}
{{- $servers := ternary .cluster.replicas 1 .cluster.enabled | int -}}
{{- if and $values.nats.enabled (gt ($values.natsReplicas | int) $servers) -}}
{{- fail (printf "natsReplicas is %d, but nats.config.cluster has %d servers" ($values.natsReplicas | int) $servers) -}}
{{- end -}}
{{- end -}}
{{- range $name := list "adminToken" "secretKey" -}}
{{- if not (index $values.secrets $name).name -}}
{{- fail (printf "secrets.%s.name must name an existing Secret" $name) -}}
{{- end -}}
{{- end -}}
{{- range $name := list "message-store" "webhooks" -}}
{{- $most := include "mim.most" (index $values.services $name) | int -}}
{{- if and (gt $most 1) (not $values.secrets.database.name) -}}
{{- $needs := "name a Secret with PostgreSQL's address in secrets.database.name" -}}
{{- fail (printf "services.%s may have %d pods, but SQLite is for one: %s" $name $most $needs) -}}
{{- end -}}
{{- end -}}
{{- range $name := list "telegram-adapter" "whatsapp-adapter" "webhooks" -}}
{{- if and (index $values.services $name).autoscaling.enabled (not $values.keda.prometheus) -}}
{{- fail (printf "services.%s.autoscaling needs keda.prometheus, where KEDA asks for metrics" $name) -}}
{{- end -}}
{{- end -}}
{{- $ports := splitList "-" $values.instancePorts -}}
{{- $first := index $ports 0 | int -}}
{{- $last := index $ports 1 | int -}}
{{- if or (lt $first 1024) (gt $first $last) (ge $last 32768) -}}
{{- fail (printf "instancePorts %s must be FIRST-LAST with 1024 <= FIRST <= LAST < 32768" $values.instancePorts) -}}
{{- end -}}
{{- range $name := list "metricsPort" "workerPort" -}}
{{- $port := index $values $name | int -}}
{{- if and (ge $port $first) (le $port $last) -}}
{{- fail (printf "%s %d is one of instancePorts %d-%d: a worker listens on both" $name $port $first $last) -}}
{{- end -}}
{{- end -}}
{{- if eq ($values.metricsPort | int) ($values.workerPort | int) -}}
{{- fail (printf "metricsPort and workerPort are both %d: a worker listens on both" ($values.workerPort | int)) -}}
{{- end -}}
{{- end -}}

{{/* A variable from a Secret: its name, the Secret's, the key. */}}
{{- define "mim.fromSecret" -}}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 1 }}
      key: {{ index . 2 }}
{{- end -}}

{{/* The variables of a service: only what it uses. */}}
{{- define "mim.env" -}}
{{- $values := .root.Values -}}
{{- $secrets := $values.secrets -}}
{{- $service := index $values.services .name -}}
- name: MIM_NATS_URL
  value: {{ include "mim.natsUrl" .root }}
{{- if $secrets.natsKeys.name }}
- name: MIM_NATS_NKEY_FILE
  value: /etc/mim/key/seed.nk
{{- else if $secrets.nats.name }}
{{ include "mim.fromSecret" (list "MIM_NATS_USER" $secrets.nats.name $secrets.nats.userKey) }}
{{ include "mim.fromSecret" (list "MIM_NATS_PASSWORD" $secrets.nats.name $secrets.nats.passwordKey) }}
{{- end }}
{{- if $secrets.natsCa.name }}
- name: MIM_NATS_CA_FILE
  value: /etc/mim/ca/ca.crt
{{- end }}
{{- if eq .name "lifecycle" }}
- name: MIM_REPLICAS
  value: {{ $values.natsReplicas | int | quote }}
{{- end }}
- name: MIM_DATA_DIR
  value: /var/lib/mim
{{ include "mim.fromSecret" (list "MIM_ADMIN_TOKEN" $secrets.adminToken.name $secrets.adminToken.key) }}
{{- if ne .name "message-store" }}
{{ include "mim.fromSecret" (list "MIM_SECRET_KEY" $secrets.secretKey.name $secrets.secretKey.key) }}
{{- with $secrets.secretKey.previousKey }}
{{ include "mim.fromSecret" (list "MIM_SECRET_KEY_PREVIOUS" $secrets.secretKey.name .) }}
{{- end }}
{{- end }}
{{- if and (has .name (list "message-store" "webhooks")) $secrets.database.name }}
{{ include "mim.fromSecret" (list "MIM_DATABASE_URL" $secrets.database.name $secrets.database.key) }}
{{- end }}
{{- if has .name (list "gateway" "allocator") }}
- name: MIM_INSTANCE_PORTS
  value: {{ $values.instancePorts | quote }}
{{- end }}
{{- if eq .name "allocator" }}
- name: MIM_HOST_NAME
  value: {{ $values.portsHost }}
{{- end }}
{{- if eq .name "gateway" }}
- name: MIM_HOST
  value: {{ $values.listenAddress | quote }}
- name: MIM_PORT
  value: "3000"
{{- else }}
- name: MIM_METRICS_HOST
  value: {{ $values.listenAddress | quote }}
- name: MIM_METRICS_PORT
  value: {{ $values.metricsPort | int | quote }}
{{- end }}
{{- if hasSuffix "-adapter" .name }}
- name: MIM_WORKER
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: MIM_WORKER_CAPACITY
  value: {{ $service.capacity | int | quote }}
- name: MIM_INSTANCE_HOST
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- name: MIM_WORKER_PORT
  value: {{ $values.workerPort | int | quote }}
{{- end }}
{{- if and (eq .name "telegram-adapter") $secrets.telegramApi.name }}
{{ include "mim.fromSecret" (list "MIM_TELEGRAM_API_ID" $secrets.telegramApi.name $secrets.telegramApi.idKey) }}
{{ include "mim.fromSecret" (list "MIM_TELEGRAM_API_HASH" $secrets.telegramApi.name $secrets.telegramApi.hashKey) }}
{{- end }}
{{- if and (eq .name "whatsapp-adapter") $secrets.whatsappProxy.name }}
{{ include "mim.fromSecret" (list "MIM_WHATSAPP_PROXY_URL" $secrets.whatsappProxy.name $secrets.whatsappProxy.key) }}
{{- end }}
{{- range $key, $value := $values.settings }}
- name: {{ $key }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{/*
Probes. The gateway's /health is 503 while any service is down, which must neither end it nor take it from its Service:
it is asked for a document instead. /health of the others is 503 while the bus is away; ending them would not bring it
back, so only a quarter of an hour of that ends a pod.
*/}}
{{- define "mim.probes" -}}
{{- $isGateway := eq .name "gateway" -}}
{{- $path := ternary "/asyncapi.json" "/health" $isGateway -}}
{{- $port := ternary "http" "metrics" $isGateway -}}
startupProbe:
  httpGet: {path: {{ $path }}, port: {{ $port }}}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 120
readinessProbe:
  httpGet: {path: {{ $path }}, port: {{ $port }}}
  periodSeconds: 10
  timeoutSeconds: 5
livenessProbe:
  httpGet: {path: {{ $path }}, port: {{ $port }}}
  periodSeconds: 30
  timeoutSeconds: 5
  failureThreshold: {{ ternary 4 30 $isGateway }}
{{- end -}}

{{/* The pod of a service. `volumes` has that of the data folder, or nothing where a template makes its claim. */}}
{{- define "mim.pod" -}}
{{- $values := .root.Values -}}
{{- $secrets := $values.secrets -}}
{{- $service := index $values.services .name -}}
metadata:
  labels:
    {{- include "mim.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .name }}
spec:
  serviceAccountName: {{ include "mim.fullname" .root }}
  automountServiceAccountToken: false
  # The variables of a Service called mim would be taken for settings: MIM_PORT=tcp://...
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $service.graceSeconds | default 30 | int }}
  {{- with $values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    # Every file of a volume is touched only when it is new here.
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "mim.selector" .root | nindent 10 }}
          app.kubernetes.io/component: {{ .name }}
  {{- with $values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ .name }}
      image: {{ printf "%s:%s" $values.image.repository ($values.image.tag | default .root.Chart.AppVersion) | quote }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      command: [mim, run, {{ .name }}]
      env:
        {{- include "mim.env" . | nindent 8 }}
      ports:
        {{- if eq .name "gateway" }}
        - {name: http, containerPort: 3000}
        {{- else }}
        - {name: metrics, containerPort: {{ $values.metricsPort | int }}}
        {{- end }}
      {{- include "mim.probes" . | nindent 6 }}
      {{- if eq .name "gateway" }}
      lifecycle:
        preStop:
          sleep: {seconds: 5} # until nobody is sent here any more
      {{- end }}
      resources: {{- toYaml $service.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        - {name: data, mountPath: /var/lib/mim}
        - {name: tmp, mountPath: /tmp}
        {{- if $secrets.natsKeys.name }}
        - {name: nats-key, mountPath: /etc/mim/key, readOnly: true}
        {{- end }}
        {{- if $secrets.natsCa.name }}
        - {name: nats-ca, mountPath: /etc/mim/ca, readOnly: true}
        {{- end }}
  volumes:
    {{- with .volumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    - name: tmp
      emptyDir: {sizeLimit: 256Mi}
    {{- with $secrets.natsKeys.name }}
    - name: nats-key
      secret:
        secretName: {{ . }}
        defaultMode: 0440
        items: [{key: {{ $.name }}.nk, path: seed.nk}]
    {{- end }}
    {{- with $secrets.natsCa.name }}
    - name: nats-ca
      secret:
        secretName: {{ . }}
        items: [{key: {{ $secrets.natsCa.key }}, path: ca.crt}]
    {{- end }}
{{- end -}}

{{- define "mim.claim" -}}
accessModes: [ReadWriteOnce]
{{- with .className }}
storageClassName: {{ . }}
{{- end }}
resources:
  requests:
    storage: {{ .size }}
{{- end -}}
