"""One web request, safely and politely, to any site; nothing here knows a service.

``transport`` sends one request to one host. ``pacing`` says when it may be sent. ``client`` repeats it where that can
help and tells refusals apart. ``site`` is what they have to know of the site.
"""
