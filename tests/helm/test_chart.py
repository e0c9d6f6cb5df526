"""The Helm chart through Helm's own engine: it lints, refuses wrong values, and renders what Kubernetes takes."""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest
import yaml

from gateway.config import load

Values = dict[str, Any]

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "voltgate"

OLDEST_KUBERNETES = "1.28"
"""The kubeVersion of Chart.yaml."""

WARNING = 2
"""Severity of a finding of ``helm lint``; one below is advice (an icon)."""

ADMIN: Values = {
    "config": {"admin": {"token": "env:VOLTGATE_ADMIN_TOKEN"}},
    "secretEnv": {"VOLTGATE_ADMIN_TOKEN": {"secretName": "voltgate-admin", "key": "token"}},
}
POSTGRES: Values = {
    "config": {
        "store": {"url": "postgresql+asyncpg://voltgate@db/voltgate", "password": "env:DATABASE_PASSWORD"},
        "authority": {"station": {"local": None}},
    },
    "secretEnv": {"DATABASE_PASSWORD": {"secretName": "voltgate-database", "key": "password"}},
    "persistence": {"enabled": False},
}
PLUG_AND_CHARGE: Values = {
    "config": {
        "authority": {
            "station": {"local": None, "vault": {"auth": {"approle": {"role_id": "1", "secret_id": "env:S"}}}},
            "contract": {"vault": {"auth": {"kubernetes": {"role": "voltgate"}}}},
        },
        "plug_and_charge": {
            "providers": {
                "own": {
                    "native": {"cps": {"chain": "cps.pem", "transit": {"key": "cps", "auth": {"token": "file:t"}}}}
                },
                "hub": {
                    "opcp": {
                        "url": "https://opcp.example.com",
                        "token": {"url": "https://opcp.example.com/oauth", "client_id": "us", "client_secret": "env:C"},
                        "headers": {"X-Api-Key": "vault:kv/opcp#key"},
                    }
                },
            },
            "provider": "own",
        },
    },
}
EVERYTHING: Values = {
    **ADMIN,
    "image": {"repository": "example/voltgate", "digest": "sha256:" + "0" * 64},
    "imagePullSecrets": [{"name": "pull"}],
    "service": {
        "type": "LoadBalancer",
        "annotations": {"example.com/balancer": "tcp"},
        "loadBalancerSourceRanges": ["192.0.2.0/24"],
    },
    "adminService": {"annotations": {"example.com/scrape": "yes"}},
    "serviceAccount": {"create": True, "automountToken": True, "annotations": {"example.com/role": "gateway"}},
    "networkPolicy": {
        "enabled": True,
        "adminFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
    },
    "persistence": {"enabled": True, "storageClassName": "fast", "size": "10Gi", "keep": False},
    "policies": {"site.yaml": "name: site\nextends: legacy-1.6\n"},
    "podAnnotations": {"example.com/note": "gateway"},
    "podLabels": {"example.com/tier": "edge"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "edge", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {"nodeAffinity": {}},
}


@pytest.fixture(scope="module")
def chart() -> Iterator[helm.Chart]:
    with helm.Chart.load(CHART) as loaded:
        yield loaded


def rendered(chart: helm.Chart, values: Values | None = None) -> dict[str, Any]:
    """Render the chart and return its objects by "Kind/name"."""
    texts = chart.render(values, name="edge", namespace="charging")
    manifests = [text for path, text in texts.items() if not path.endswith("NOTES.txt")]
    objects = [item for text in manifests for item in yaml.safe_load_all(text) if item]
    return {f"{item['kind']}/{item['metadata']['name']}": item for item in objects}


def pod_of(objects: dict[str, Any]) -> Any:
    return objects["Deployment/edge-voltgate"]["spec"]["template"]


def container_of(objects: dict[str, Any]) -> Any:
    (container,) = pod_of(objects)["spec"]["containers"]
    return container


def with_path(path: str, value: object) -> Values:
    """Return values that set the one key at a dotted path."""
    values: Values = {}
    *parents, last = path.split(".")
    inner = values
    for parent in parents:
        inner = inner.setdefault(parent, {})
    inner[last] = value
    return values


@pytest.mark.parametrize(
    "values",
    [{}, ADMIN, POSTGRES, PLUG_AND_CHARGE, EVERYTHING],
    ids=["defaults", "admin", "postgres", "contracts", "everything"],
)
def test_lints_clean(values: Values) -> None:
    report = helm.lint(CHART, values, strict=True, kube_version=f"v{OLDEST_KUBERNETES}.0")

    assert report["errors"] == []
    assert [finding for finding in report["messages"] if finding["severity"] >= WARNING] == []


@pytest.mark.parametrize(
    "values", [{}, ADMIN, POSTGRES, EVERYTHING], ids=["defaults", "admin", "postgres", "everything"]
)
@pytest.mark.parametrize("version", [OLDEST_KUBERNETES, kubernetes_validate.latest_version()], ids=["oldest", "newest"])
def test_kubernetes_takes_every_object(chart: helm.Chart, values: Values, version: str) -> None:
    objects = rendered(chart, values)

    assert len(objects) >= 5
    for item in objects.values():
        kubernetes_validate.validate(item, version, strict=True)


def test_what_the_defaults_make(chart: helm.Chart) -> None:
    assert set(rendered(chart)) == {
        "ConfigMap/edge-voltgate",
        "Deployment/edge-voltgate",
        "PersistentVolumeClaim/edge-voltgate",
        "Service/edge-voltgate",
        "Service/edge-voltgate-admin",
        "ServiceAccount/edge-voltgate",
    }


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("replicas", 2),
        ("image.tga", "typo"),
        ("image.tag", "no spaces"),
        ("image.digest", "sha256:short"),
        ("image.pullPolicy", "Sometimes"),
        ("config.listeners", []),
        ("config.listeners", [{"bind": "8443", "security_profiles": [2]}]),
        ("config.listeners", [{"bind": "0.0.0.0:8443", "security_profiles": [4]}]),
        ("config.listeners", [{"bind": "0.0.0.0:8443", "security_profiles": [2], "path": "/ocpp"}]),
        ("config.backends", {"legacy": {"url": "https://csms.example.com"}}),
        ("config.backends", {"legacy": None}),
        ("config.store.url", "sqlite+aiosqlite:///voltgate.db"),
        ("config.store.url", "mysql://db"),
        ("config.admin.bind", "127.0.0.1:8081"),
        ("config.files", {"bind": "8444", "public_url": "https://files.example.com"}),
        ("config.firmware.directory", "firmware"),
        ("config.logs", {"directory": "/srv/logs"}),
        ("secretEnv.NAME", {"secretName": "only"}),
        ("secretFiles.Upper Case", {"secretName": "only"}),
        ("persistence.size", "2"),
        ("persistence.enabled", "yes"),
        ("service.type", "ExternalName"),
        ("terminationGracePeriodSeconds", 0),
        ("policies", {"../site.yaml": "name: site"}),
        ("policies", {"site.txt": "name: site"}),
        ("policies", {"site.yaml": {"name": "site"}}),
    ],
    ids=str,
)
def test_the_schema_refuses(chart: helm.Chart, path: str, value: object) -> None:
    with pytest.raises(helm.HelmValuesError) as refusal:
        chart.render(with_path(path, value))

    assert path.rpartition(".")[2] in str(refusal.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("config.admin.token", "hunter2"),
        ("config.store.url", "postgresql+asyncpg://voltgate:hunter2@db/voltgate"),
        ("config.store.password", "hunter2"),
        ("config.backends.legacy.url", "wss://voltgate:hunter2@csms.example.com/{identity}"),
        ("config.backends.legacy.auth.basic.password", "hunter2"),
        ("config.files.public_url", "https://me:hunter2@files.example.com"),
        ("config.firmware", {"directory": "/var/lib/voltgate/fw", "object_store": "s3://key:hunter2@bucket"}),
        ("config.backends.legacy.tls.key", "-----BEGIN PRIVATE KEY-----"),
        (
            "config.listeners",
            [
                {
                    "bind": "0.0.0.0:8443",
                    "security_profiles": [2],
                    "tls": {"certificates": [{"chain": "gateway.pem", "key": "-----BEGIN PRIVATE KEY-----"}]},
                }
            ],
        ),
        (
            "config.listeners",
            [{"bind": "0.0.0.0:8443", "security_profiles": [2], "public_url": "wss://u:hunter2@gateway/ocpp"}],
        ),
        ("config.revocation.crls", ["http://u:hunter2@ca.example.com/stations.crl"]),
        ("config.authority.contract.vault.auth.token", "hunter2"),
        ("config.authority.contract.vault.auth.approle.secret_id", "hunter2"),
        ("config.authority.station.vault.auth.tls.key", "-----BEGIN PRIVATE KEY-----"),
        ("config.authority.station.vault.auth.jwt.token", "hunter2"),
        ("config.authority.station.est.auth.password", "hunter2"),
        ("config.authority.station.est.auth.key", "-----BEGIN PRIVATE KEY-----"),
        ("config.authority.station.est.url", "https://u:hunter2@est.example.com"),
        ("config.plug_and_charge.providers.own.native.cps.key", "-----BEGIN PRIVATE KEY-----"),
        ("config.plug_and_charge.providers.own.native.cps_20.transit.auth.token", "hunter2"),
        ("config.plug_and_charge.providers.hub.opcp.token.client_secret", "hunter2"),
        ("config.plug_and_charge.providers.hub.opcp.headers", {"X-Api-Key": "hunter2"}),
        ("config.plug_and_charge.providers.hub.opcp.url", "https://u:hunter2@opcp.example.com"),
        ("config.plug_and_charge.providers.hub.native_opcp_cps.opcp.token.client_secret", "hunter2"),
    ],
    ids=[
        "admin-token",
        "store-password-in-url",
        "store-password",
        "backend-password-in-url",
        "backend-password",
        "password-in-files-url",
        "object-store-key",
        "backend-key",
        "listener-key",
        "password-in-public-url",
        "password-in-crl-url",
        "vault-token",
        "vault-secret-id",
        "vault-key",
        "vault-jwt",
        "est-password",
        "est-key",
        "password-in-est-url",
        "cps-key",
        "transit-token",
        "opcp-client-secret",
        "opcp-header",
        "password-in-opcp-url",
        "opcp-cps-client-secret",
    ],
)
def test_a_secret_in_the_configuration_is_refused(chart: helm.Chart, path: str, value: object) -> None:
    with pytest.raises(helm.HelmValuesError, match="does not match pattern"):
        chart.render(with_path(path, value))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"config": {"admin": {"token": "env:VOLTGATE_ADMIN_TOKEN"}}}, "secretEnv.VOLTGATE_ADMIN_TOKEN"),
        ({"persistence": {"enabled": False}}, "config.store.url is SQLite, but persistence.enabled is false"),
        (
            {
                "persistence": {"enabled": False},
                "config": {"store": {"url": "postgresql+asyncpg://voltgate@db/voltgate"}},
            },
            "config.authority.station.local.dir is on the volume, but persistence.enabled is false",
        ),
        (
            {
                "persistence": {"enabled": False},
                "config": {
                    "store": {"url": "postgresql+asyncpg://voltgate@db/voltgate"},
                    "authority": {"station": {"local": None}, "contract": {"local": {"dir": "/var/lib/voltgate/mo"}}},
                },
            },
            "config.authority.contract.local.dir is on the volume, but persistence.enabled is false",
        ),
        (
            {"config": {"listeners": [{"bind": "127.0.0.1:8080", "security_profiles": [1]}]}},
            "no address that is reachable",
        ),
    ],
    ids=[
        "token-without-secret",
        "sqlite-without-volume",
        "authority-without-volume",
        "contracts-without-volume",
        "loopback-only",
    ],
)
def test_values_that_contradict_each_other_are_refused(chart: helm.Chart, values: Values, words: str) -> None:
    with pytest.raises(helm.HelmRenderError, match=re.escape(words)):
        chart.render(values)


@pytest.mark.parametrize("values", [{}, PLUG_AND_CHARGE, EVERYTHING], ids=["defaults", "contracts", "everything"])
def test_the_configuration_arrives_as_it_was_given(chart: helm.Chart, values: Values) -> None:
    config_map = rendered(chart, values)["ConfigMap/edge-voltgate"]

    assert list(config_map["data"]) == ["voltgate.yaml"]
    assert yaml.safe_load(config_map["data"]["voltgate.yaml"]) == chart.merge_values(values)["config"]


def test_the_default_configuration_is_one_that_the_gateway_takes(chart: helm.Chart, tmp_path: Path) -> None:
    file = tmp_path / "voltgate.yaml"
    file.write_text(rendered(chart)["ConfigMap/edge-voltgate"]["data"]["voltgate.yaml"])
    config = load(file, {})

    assert config.store.sqlite_path == Path("/var/lib/voltgate/voltgate.db")
    assert str(config.admin.bind) == "0.0.0.0:8081"


def test_the_front_doors_keys_reach_the_gateway(chart: helm.Chart, tmp_path: Path) -> None:
    (listener,) = chart.merge_values({})["config"]["listeners"]
    listener |= {
        "protocols": ["ocpp1.6"],
        "public_url": "wss://gateway.example.com:8443/ocpp",
        "load_balancers": ["10.0.0.0/28"],
        "tls": listener["tls"] | {"csms_roots": "/etc/voltgate/secrets/csms-root/ca.crt", "static_rsa": False},
    }
    keys = {"listeners": [listener], "revocation": {"crls": ["/etc/voltgate/secrets/crl/a.crl"]}}
    values = {"config": keys | {"onboarding": "record"}}
    file = tmp_path / "voltgate.yaml"
    file.write_text(rendered(chart, values)["ConfigMap/edge-voltgate"]["data"]["voltgate.yaml"])
    config = load(file, {})

    assert config.listeners[0].public_url == listener["public_url"]
    assert config.revocation.crls == ("/etc/voltgate/secrets/crl/a.crl",)
    assert config.onboarding == "record"


def test_a_changed_configuration_means_a_new_pod(chart: helm.Chart) -> None:
    before, same, after = (
        pod_of(rendered(chart, values))["metadata"]["annotations"]["checksum/config"]
        for values in ({}, {"podLabels": {"a": "b"}}, with_path("config.operator", "Another CPO"))
    )

    assert before == same
    assert before != after


def test_policies_arrive_as_files_that_can_change_in_a_running_pod(chart: helm.Chart) -> None:
    text = "# mine\nname: site\nextends: legacy-1.6\nrules:\n- id: a\n"
    objects = rendered(chart, {"policies": {"site.yaml": text}})
    [mount] = [each for each in container_of(objects)["volumeMounts"] if each["name"] == "policies"]

    assert objects["ConfigMap/edge-voltgate-policies"]["data"] == {"site.yaml": text}
    assert mount == {"name": "policies", "mountPath": "/etc/voltgate/policies", "readOnly": True}
    assert pod_of(objects)["metadata"]["annotations"] == pod_of(rendered(chart))["metadata"]["annotations"]
    assert "ConfigMap/edge-voltgate-policies" not in rendered(chart)


def test_the_chart_makes_no_secret_and_only_refers_to_them(chart: helm.Chart) -> None:
    objects = rendered(chart, EVERYTHING)

    assert not [name for name in objects if name.startswith("Secret/")]
    assert container_of(objects)["env"] == [
        {
            "name": "VOLTGATE_ADMIN_TOKEN",
            "valueFrom": {"secretKeyRef": {"name": "voltgate-admin", "key": "token"}},
        }
    ]
    volumes = {volume["name"]: volume for volume in pod_of(objects)["spec"]["volumes"]}
    assert volumes["secret-gateway-ecdsa"]["secret"] == {
        "secretName": "voltgate-gateway-ecdsa",
        "defaultMode": 0o440,
        "optional": False,
    }


def test_every_file_that_the_default_configuration_names_is_mounted(chart: helm.Chart) -> None:
    objects = rendered(chart)
    mounts = {mount["mountPath"] for mount in container_of(objects)["volumeMounts"]}
    named = re.findall(r"/etc/voltgate/secrets/[^/]+", objects["ConfigMap/edge-voltgate"]["data"]["voltgate.yaml"])

    assert len(named) == 4
    assert set(named) <= mounts


def test_the_pod_is_locked_down(chart: helm.Chart) -> None:
    objects = rendered(chart)
    pod, container = pod_of(objects)["spec"], container_of(objects)

    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"/var/lib/voltgate", "/tmp"}  # noqa: S108 - the pod's own emptyDir, not this machine's


def test_one_pod_at_a_time_owns_the_store(chart: helm.Chart) -> None:
    spec = rendered(chart)["Deployment/edge-voltgate"]["spec"]

    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "edge-voltgate"}} in spec["template"]["spec"][
        "volumes"
    ]


def test_the_claim_is_kept_unless_told_otherwise(chart: helm.Chart) -> None:
    kept, given_up = (
        rendered(chart, values)["PersistentVolumeClaim/edge-voltgate"]["metadata"].get("annotations")
        for values in ({}, EVERYTHING)
    )

    assert kept == {"helm.sh/resource-policy": "keep"}
    assert given_up is None


def test_a_claim_that_exists_is_used(chart: helm.Chart) -> None:
    objects = rendered(chart, with_path("persistence.existingClaim", "mine"))

    assert "PersistentVolumeClaim/edge-voltgate" not in objects
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "mine"}} in pod_of(objects)["spec"]["volumes"]


def test_probes_ask_the_admin_port(chart: helm.Chart) -> None:
    container = container_of(rendered(chart, with_path("config.admin.bind", "0.0.0.0:9000")))

    assert {"name": "admin", "containerPort": 9000, "protocol": "TCP"} in container["ports"]
    for probe, path in {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}.items():
        assert container[probe]["httpGet"] == {"path": path, "port": "admin"}


def test_ports_follow_the_listeners(chart: helm.Chart) -> None:
    listeners = copy.deepcopy(chart.values["config"]["listeners"])
    listeners += [
        {"bind": "[::]:9443", "security_profiles": [3]},
        {"bind": "127.0.0.1:8080", "security_profiles": [1]},
    ]
    objects = rendered(chart, {"config": {"listeners": listeners}})

    station_ports = [port["port"] for port in objects["Service/edge-voltgate"]["spec"]["ports"]]
    assert station_ports == [8443, 9443]
    assert [port["containerPort"] for port in container_of(objects)["ports"]] == [8443, 9443, 8081]


@pytest.mark.parametrize(
    ("files", "ports"),
    [
        ({"public_url": "https://files.example.com:8444"}, [8443, 8444]),
        ({"public_url": "https://files.example.com", "bind": "[::]:9444"}, [8443, 9444]),
        ({"public_url": "https://localhost", "bind": "127.0.0.1:8444"}, [8443]),
    ],
    ids=["default", "named", "inside"],
)
def test_the_port_of_files_is_beside_the_stations(chart: helm.Chart, files: Values, ports: list[int]) -> None:
    objects = rendered(chart, {"config": {"files": files}, "networkPolicy": {"enabled": True}})

    assert [port["port"] for port in objects["Service/edge-voltgate"]["spec"]["ports"]] == ports
    assert [port["containerPort"] for port in container_of(objects)["ports"]] == [*ports, 8081]
    (rule,) = objects["NetworkPolicy/edge-voltgate"]["spec"]["ingress"]
    assert [port["port"] for port in rule["ports"]] == ports


def test_the_admin_port_is_never_in_the_stations_service(chart: helm.Chart) -> None:
    objects = rendered(chart, EVERYTHING)
    stations, admin = objects["Service/edge-voltgate"]["spec"], objects["Service/edge-voltgate-admin"]["spec"]

    assert [port["targetPort"] for port in stations["ports"]] == ["station-8443"]
    assert stations["type"] == "LoadBalancer"
    assert stations["externalTrafficPolicy"] == "Local"
    assert [port["targetPort"] for port in admin["ports"]] == ["admin"]
    assert admin["type"] == "ClusterIP"


@pytest.mark.parametrize(
    ("admin_from", "ports"), [([], [[8443]]), ([{"podSelector": {}}], [[8443], [8081]])], ids=["stations", "admin"]
)
def test_the_network_policy_opens_the_admin_port_only_to_whom_it_names(
    chart: helm.Chart, admin_from: list[Values], ports: list[list[int]]
) -> None:
    policy = rendered(chart, {"networkPolicy": {"enabled": True, "adminFrom": admin_from}})[
        "NetworkPolicy/edge-voltgate"
    ]

    rules = policy["spec"]["ingress"]
    assert [[port["port"] for port in rule["ports"]] for rule in rules] == ports
    assert [rule.get("from") for rule in rules] == [None, admin_from][: len(ports)]


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ({}, "voltgate:{version}"),
        ({"tag": "edge"}, "voltgate:edge"),
        ({"tag": "edge", "digest": "sha256:" + "a" * 64}, "voltgate@sha256:" + "a" * 64),
    ],
    ids=["app-version", "tag", "digest"],
)
def test_the_image(chart: helm.Chart, image: Values, reference: str) -> None:
    container = container_of(rendered(chart, {"image": image}))

    assert container["image"] == reference.format(version=chart.metadata["appVersion"])


def test_the_app_version_is_the_gateways(chart: helm.Chart) -> None:
    source = (ROOT / "gateway" / "__init__.py").read_text()

    assert f'__version__ = "{chart.metadata["appVersion"]}"' in source


@pytest.mark.parametrize(
    ("values", "said"),
    [({}, True), (with_path("config.backends.legacy.url", "wss://backend.example.org/{identity}"), False)],
    ids=["untouched", "set"],
)
def test_the_notes_say_when_the_backend_is_still_the_examples(chart: helm.Chart, values: Values, said: bool) -> None:
    notes = chart.render(values, name="edge", namespace="charging")["voltgate/templates/NOTES.txt"]

    assert ("still the example's" in notes) is said
    assert "voltgate-gateway-ecdsa" in notes
