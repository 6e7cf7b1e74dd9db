"""Packaging of tf-gan-zoo: `pip install .`, with the extras serving, gcs, hub, formats, gpu, docs and test."""

import pathlib

from setuptools import find_packages, setup

PROGRAMS = {
    "gan-zoo-train": "trainers.train:run",
    "gan-zoo-evaluate": "export.evaluate:run",
    "gan-zoo-leaderboard": "export.leaderboard:run",
    "gan-zoo-export": "export.saved_model:run",
    "gan-zoo-sample": "export.sample:run",
    "gan-zoo-serving-config": "export.serving.config:run",
    "gan-zoo-serve": "export.serving.server:run",
    "gan-zoo-publish": "export.publish:run",
    "gan-zoo-mirror": "export.mirror:run",
    "gan-zoo-push": "export.push:run",
    "gan-zoo-train-classifier": "export.metrics.train_classifier:run",
}

HUB = "huggingface_hub>=1.0,<3"
#: Credentials for buckets that are not public.
GCS = "google-auth>=2.30,<3"
#: ONNX and LiteRT files, and the runtimes that they are checked in. tf2onnx before 1.17 needs an older protobuf.
FORMATS = ["tf2onnx>=1.17,<2", "onnx>=1.18,<2", "onnxruntime>=1.23,<2", "ai-edge-litert>=2,<3"]
#: The site. MkDocs 2 reads other configurations.
DOCS = ["mkdocs>=1.6,<2", "mkdocs-material>=9.6,<10", "mkdocstrings[python]>=1,<2", "nbconvert>=7.16,<8"]

setup(
    name="tf-gan-zoo",
    version="0.1.0",
    description="A TensorFlow/Keras 3 model zoo of GANs and other generative models with SavedModel export",
    long_description=pathlib.Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10,<3.14",
    packages=find_packages(include=["zoo*", "trainers*", "export*", "configs*"]),
    package_data={
        "zoo": ["pretrained/index.json", "pretrained/*/*/*/**/*"],
        "export": ["*.jinja", "report/*.jinja", "comparison/*.jinja", "metrics/weights/*", "serving/*.html"],
    },
    install_requires=[
        "tensorflow>=2.20,<2.22",
        "keras>=3.10,<4",
        "tensorflow-datasets>=4.9.9,<5",
        "tensorflow-gan>=2.1,<3",
        "absl-py>=2.1,<3",
        # What tensorflow-gan, tensorflow-hub and tensorflow-datasets use and do not declare.
        "tf-keras>=2.20,<2.22",
        "tensorflow-probability>=0.25,<0.26",
        "tensorflow-hub>=0.16.1,<0.17",
        "setuptools<81",
        "importlib_resources>=6",
        # TensorFlow writes summaries through it since 2.21, and no longer installs it.
        "tensorboard>=2.20,<3",
        "ml-collections>=1.0,<2",
        "etils[epath]>=1.9,<2",
        "numpy>=1.26,<3",
        "scipy>=1.11,<2",
        "scikit-learn>=1.4,<2",
        "matplotlib>=3.8,<4",
        "threadpoolctl>=3,<4",
        "pooch>=1.8,<2",
        "requests>=2.31,<3",
        "pillow>=10.1",
        # Tells of damaged JPEGs, which other readers pass over.
        "simplejpeg>=1.8,<2",
        "psutil>=5.9",
        "jinja2>=3.1,<4",
        "pyyaml>=6,<7",
        # Knows the identifiers of licences since 24.2.
        "packaging>=24.2",
        "tqdm>=4.66,<5",
        # Google's protocol definitions and nothing else; beside TensorFlow it installs no further package.
        "tensorflow-serving-api>=2.20,<2.22",
    ],
    extras_require={
        "serving": [
            "grpcio>=1.68,<2",
            "grpcio-health-checking>=1.68,<2",
            "aiohttp>=3.14,<4",
            "orjson>=3.10,<4",
            "prometheus_client>=0.20,<1",
        ],
        "gcs": [GCS],
        "hub": [HUB],
        "formats": FORMATS,
        "gpu": ["tensorflow[and-cuda]>=2.20,<2.22"],
        "docs": DOCS,
        "test": [
            *FORMATS,
            *DOCS,
            "pytest>=8,<10",
            "pytest-xdist>=3.5,<4",
            "markdown-it-py>=3,<5",
            "nbclient>=0.10,<1",
            "nbformat>=5.7,<6",
            "ipykernel>=6.29,<8",
            "ruff>=0.6,<1",
            "ovmsclient>=2022.3",
            "playwright>=1.45,<2",
            "trustme>=1.1,<2",
            "kubernetes-validate>=1.30,<2",
            # The reference implementation of precision, recall, density and coverage.
            "prdc>=0.2,<1",
            GCS,
            HUB,
        ],
    },
    entry_points={
        "console_scripts": [f"{name}={target}" for name, target in PROGRAMS.items()],
        # What config.train.diagnose_every turns on: `trainers.training.diagnoses`.
        "tf_gan_zoo.diagnoses": ["during_training=export.diagnostics.during_training:Diagnose"],
    },
    classifiers=[
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
