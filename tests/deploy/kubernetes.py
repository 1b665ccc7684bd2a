"""Checks between the objects of a manifest, which a schema cannot see, and writes out the agent's configurations.

    kubernetes.py FOLDER FILE…

Every mount has its volume, every config map, service account and port that is named is there, every selector finds
its pods. The values of config maps go to FOLDER as files. Exit code 1 when there was a fault.
"""

import pathlib
import sys

import yaml


def check(path, folder):
    objects = [found for found in yaml.safe_load_all(path.read_text()) if found]
    names = {(found["kind"], found["metadata"]["name"]) for found in objects}
    for found in objects:
        if found["kind"] == "ConfigMap":
            for name, text in found["data"].items():
                (folder / f"{path.stem}-{name}").write_text(text)
        template = found.get("spec", {}).get("template")
        if template:
            yield from check_pods(found, template, names)


def check_pods(owner, template, names):
    pod, name = template["spec"], f'{owner["kind"]} {owner["metadata"]["name"]}'
    wanted, labels = owner["spec"]["selector"]["matchLabels"], template["metadata"]["labels"]
    if not wanted.items() <= labels.items():
        yield f"{name}: its selector does not find its own pods"
    volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
    for volume in volumes.values():
        config = volume.get("configMap", {}).get("name")
        if config and ("ConfigMap", config) not in names:
            yield f"{name}: there is no config map {config}"
    account = pod.get("serviceAccountName")
    if account and ("ServiceAccount", account) not in names:
        yield f"{name}: there is no service account {account}"
    used = set()
    for container in pod.get("initContainers", []) + pod["containers"]:
        used |= {mount["name"] for mount in container.get("volumeMounts", [])}
        ports = {port["name"] for port in container.get("ports", [])}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = container.get(probe, {})
            port = (asked.get("httpGet") or asked.get("tcpSocket") or {}).get("port")
            if isinstance(port, str) and port not in ports:
                yield f'{name}: {probe} of {container["name"]} asks the port {port}, which has no number'
        if not container.get("resources", {}).get("limits", {}).get("memory"):
            yield f'{name}: {container["name"]} has no limit of memory'
    for volume in sorted(used ^ set(volumes)):
        yield f"{name}: the volume {volume} is mounted and not there, or there and not mounted"


def main():
    folder, paths = pathlib.Path(sys.argv[1]), sys.argv[2:]
    faults = [f"{path}: {fault}" for path in paths for fault in check(pathlib.Path(path), folder)]
    print("\n".join(faults) if faults else f"{len(paths)} manifests: what they name is there")
    sys.exit(1 if faults else 0)


main()
