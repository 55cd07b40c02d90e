"""One web request, safely and politely; nothing here knows which service is asked."""
