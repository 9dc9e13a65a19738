"""Frames a second of the renderers and the body model, side by side in one run: `python -m benchmarks.render`.

Every frame poses nothing new for the renderers: they get vertices, as they do after the body model, and upload or
rasterise them anew. The median over the frames is printed, with n. `released` is what the paper's scripts do: a new
OffscreenRenderer for every frame and person, one sample a pixel.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable

import numpy as np

from m2m.augment.bodies import Camera
from m2m.augment.body import BodyParams, make_body
from m2m.augment.render import RenderParams, make_renderer
from m2m.augment.render.pyrender import renderer_name
from m2m.errors import InfrastructureError


def milliseconds(call: Callable[[int], object], count: int) -> np.ndarray:
    call(0)  # compiles, starts the context
    times = []
    for k in range(count):
        start = time.perf_counter()
        call(k)
        times.append(time.perf_counter() - start)
    return np.array(times) * 1000


def people(count: int, camera: Camera, frames: int) -> list[list[np.ndarray]]:
    """A row of waving mannequins, each about three quarters of the picture high."""
    body = make_body(BodyParams())
    distance = 1.7 * camera.focal / (0.75 * camera.height)
    out = []
    for k in range(frames):
        row = []
        for i in range(count):
            pose = np.zeros((55, 3))
            pose[0] = [np.pi, 0, 0]
            pose[16:18, 2] = [-1 + 0.3 * np.sin(k / 5 + i), 1 - 0.3 * np.sin(k / 7 + i)]
            at = np.array([(i - (count - 1) / 2) * 0.55, 0, distance + 0.2 * (i % 2)])
            row.append(body.vertices(pose, at))
        out.append(row)
    return out


def released(meshes: list[np.ndarray], faces: np.ndarray, camera: Camera) -> None:
    """Draws each body with a renderer of its own. It ends every other OpenGL context of the process."""
    import pyrender

    for mesh in meshes:
        renderer = pyrender.OffscreenRenderer(camera.width, camera.height)
        scene = pyrender.Scene(bg_color=[0.0, 0.0, 0.0, 0.0])
        scene.add(pyrender.Mesh([pyrender.Primitive(mesh * np.array([1, -1, -1]), indices=faces)]))
        scene.add(pyrender.IntrinsicsCamera(camera.focal, camera.focal, camera.cx, camera.cy))
        scene.add(pyrender.DirectionalLight())
        renderer.render(scene, pyrender.RenderFlags.RGBA)
        renderer.delete()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", default="432x240")
    parser.add_argument("--frames", type=int, default=60)
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    camera = Camera.default(width, height)
    body = make_body(BodyParams())
    poses = np.random.default_rng(0).normal(0, 0.3, (args.frames, 55, 3))
    ms = milliseconds(lambda k: body.vertices(poses[k], np.zeros(3)), args.frames)
    print(f"# {platform.machine()}, {os.cpu_count()} CPUs, {args.size}, n = {args.frames} frames, median")
    print(f"mannequin, pose to vertices: {np.median(ms):.2f} ms")
    print("| renderer | samples a pixel | people | ms | fps |")
    print("|---|---|---|---|---|")
    for backend in ("zbuffer", "pyrender"):
        for supersample in (1, 2):
            try:
                renderer = make_renderer(RenderParams(backend, supersample))
            except InfrastructureError as error:
                print(f"| {backend} | not run: {error.what} | | | |")
                break
            name = backend
            if backend == "pyrender":
                name += f" ({os.environ['PYOPENGL_PLATFORM']}, {renderer_name()})"
            for count in (1, 5):
                scenes = people(count, camera, args.frames)
                ms = milliseconds(lambda k: renderer.render(scenes[k], body.faces, camera), args.frames)  # noqa: B023
                print(
                    f"| {name} | {supersample**2} | {count} | {np.median(ms):.1f} | {1000 / np.median(ms):.0f} |",
                    flush=True,
                )
        else:
            if backend == "pyrender":
                for count in (1, 5):
                    scenes = people(count, camera, 6)
                    ms = milliseconds(lambda k: released(scenes[k], body.faces, camera), 6)  # noqa: B023
                    print(
                        f"| released (n = 6) | 1 | {count} | {np.median(ms):.1f} | {1000 / np.median(ms):.1f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
