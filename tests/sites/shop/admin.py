"""Articles in the admin."""

from django.contrib import admin

from tests.sites.shop.models import Article

admin.site.register(Article)
