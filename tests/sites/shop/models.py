"""What the shop sells."""

from django.db import models


class Article(models.Model):
    """An article, with a picture of it."""

    name = models.CharField(max_length=100)
    picture = models.FileField(upload_to="pictures")

    class Meta:
        app_label = "shop"

    def __str__(self):
        return self.name
