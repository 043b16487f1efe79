"""A SerialBox number pool with two flavorpacks, as small a Django site as it will run in.

    python pool_site.py FOLDER        makes the database in FOLDER, with one user and two pools
    POOL_FOLDER=FOLDER gunicorn pool_site:application

Served on loopback by tests/outside/serialbox/mod.rs. The packages come from PyPI, unchanged; none of their text is here.
"""

import os
import sys

import django
from django.conf import settings

FOLDER = sys.argv[1] if __name__ == "__main__" else os.environ["POOL_FOLDER"]

settings.configure(
    SECRET_KEY="a test's",
    DEBUG=False,
    ALLOWED_HOSTS=["*"],
    USE_TZ=True,
    ROOT_URLCONF="pool_site",
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "quartet_capture",
        "quartet_output",
        "quartet_templates",
        "serialbox",
        "random_flavorpack.apps.RandomFlavorpackConfig",
        "list_based_flavorpack.apps.ListBasedFlavorpackConfig",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.path.join(FOLDER, "pool.sqlite3"),
            "OPTIONS": {"timeout": 30},
        }
    },
    MIDDLEWARE=[],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.BasicAuthentication"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_THROTTLE_RATES": {"user": None, "anon": None},
    },
)
django.setup()


def make():
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("migrate", verbosity=0, run_syncdb=True)
    User.objects.create_superuser("line", password="secret")

    from list_based_flavorpack.models import ListBasedRegion
    from random_flavorpack.models import RandomizedRegion
    from serialbox.models import Pool

    numbers = Pool.objects.create(readable_name="numbers", machine_name="numbers", request_threshold=50000)
    RandomizedRegion.objects.create(
        readable_name="numbers", machine_name="numbers", active=True, order=1, pool=numbers, min=1000, max=99999999, start=239380
    )
    lists = Pool.objects.create(readable_name="lists", machine_name="lists", request_threshold=50000)
    ListBasedRegion.objects.create(
        readable_name="lists",
        machine_name="lists",
        active=True,
        order=1,
        pool=lists,
        number_replenishment_size=500,
        processing_class_path="list_based_flavorpack.processing_classes.vanilla_processing.processing.VanillaProcessingClass",
    )


if __name__ == "__main__":
    make()
else:
    from django.core.wsgi import get_wsgi_application
    from django.urls import include, path

    urlpatterns = [path("serialbox/", include("serialbox.api.urls"))]
    application = get_wsgi_application()
