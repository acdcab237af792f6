"""The pages."""

from django.conf import settings
from django.contrib import admin
from django.contrib.staticfiles.views import serve as serve_static
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.static import serve


def front(request):
    return HttpResponse(f"Welcome, {request.GET.get('name', 'stranger')}")


def cookies(request):
    response = JsonResponse(dict(request.COOKIES))
    response.set_cookie("one", "1")
    response.set_cookie("two", "2")
    return response


def report(request):
    return StreamingHttpResponse(f"line {number}\n" for number in range(1000))


def failing(request):
    raise RuntimeError("a view that fails")


urlpatterns = [
    path("", front),
    path("cookies", cookies),
    path("report", report),
    path("failing", failing),
    path("admin/", admin.site.urls),
    path("static/<path:path>", serve_static, {"insecure": True}),
    path("media/<path:path>", serve, {"document_root": settings.MEDIA_ROOT}),
]
