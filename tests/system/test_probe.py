import asyncio, copy, signal, json
import aiohttp, pytest, pytest_asyncio
from tests.system.firmware_site import *
from tests.system.scripted_station import until
AT="2026-01-01T00:00:00Z"

@pytest_asyncio.fixture
async def site(tmp_path):
    (tmp_path/"maker").mkdir()
    s=FirmwareSite(tmp_path/"maker"); await s.open(); yield s; await s.close()

def conf(site, ext=False, public=PUBLIC_URL, policy=True, plain=False):
    def c(tree):
        site.configure(tree)
        tree["firmware"]["without_signature"]=[{"identity":"plain-*"}]
        tree["files"]["public_url"]=public
        if not policy: tree["policy"]="legacy-1.6"
        if ext: tree["backends"]["legacy"]["security_extension"]=True
    return c

async def uploaded(gateway, location, signed, image=IMAGE, **more):
    body={"manufacturer":"maker","version":location.rpartition("/")[2],"location":location,"upload":True,
      "signature":signed.signature,"signing_certificate":signed.signing_certificate}|more
    st,made=await gateway.api("POST","firmware",body); assert st==201,made
    token=(gateway.folder/"secrets/admin-token").read_text().strip()
    url=f"http://127.0.0.1:{gateway.port('http')}/api/v1/firmware/{made['id']}/content"
    async with aiohttp.ClientSession(headers={"Authorization":f"Bearer {token}"}) as s, s.put(url,data=__import__("io").BytesIO(image)) as r:
        j=await r.json(); assert j.get("state")=="verified", j
    return made["id"]

async def drain(backend, secs=1.5):
    out=[]
    try:
        while True:
            out.append(await asyncio.wait_for(backend.heard.get(), secs))
    except TimeoutError: pass
    return [o for o in out if "Firmware" in o[0]]

def show(*a): print("\n##",*a,flush=True)

async def test_a_private_public_url(deployment, backend, site, tmp_path):
    deployment.configure(conf(site, public="https://10.0.0.5:8444", policy=False)); await deployment.start()
    await uploaded(deployment,"https://firmware.example.com/fw.bin",site.pki.ec.sign(IMAGE))
    st=await new_station(deployment,site,"a1","ocpp2.0.1",tmp_path); st.tells=()
    async with st.online():
        await backend.joined("a1")
        show((await backend.call("a1","UpdateFirmware",{"location":"https://firmware.example.com/fw.bin","retrieveDate":AT})))
        show(await drain(backend)); show([a for a in st.asked if "Update" in a[0]])
        show(await updates_of(deployment,"a1"))
    show([l for l in deployment.log.splitlines() if "polic" in l or "security_event" in l][-5:])

async def test_b_kill_at_send_then_rejected(deployment, backend, site, tmp_path):
    deployment.configure(conf(site)); await deployment.start()
    loc=site.offer("fw.bin"); await uploaded(deployment,"https://firmware.example.com/fw.bin",site.pki.ec.sign(IMAGE))
    st=await new_station(deployment,site,"b1","ocpp2.0.1",tmp_path); st.tells=()
    st.silent_at="UpdateFirmware"
    try:
      async with st.online():
        await backend.joined("b1")
        show((await backend.call("b1","UpdateFirmware",{"location":"https://firmware.example.com/fw.bin","retrieveDate":AT})))
        first=await st.expect("UpdateFirmware")
        await deployment.stop(signal.SIGKILL)
    except Exception as e: show("exc",repr(e))
    show(first["requestId"])
    await deployment.start()
    st.silent_at=None; st.asked.clear(); st.answers["UpdateFirmware"]={"status":"Rejected"}
    async with st.online(boots=False):
        await backend.joined("b1")
        again=await st.expect("UpdateFirmware"); show("again", again["requestId"], again["firmware"]["location"]==first["firmware"]["location"])
        await drain(backend,1)
        show(await updates_of(deployment,"b1"))
        st.loaded=None
        for s in SECURE: show(await st.tell(s, first["requestId"]))
        show([o for o in backend.log if "Firmware" in o[0]])
        show((await updates_of(deployment,"b1"))[-1]["state"])
        try: show("load", len(await st._load(again["firmware"]["location"])))
        except BaseException as e: show("load fails", repr(e)[:300])

async def test_d_backend_away(deployment, backend, site, tmp_path):
    deployment.configure(conf(site)); await deployment.start()
    await uploaded(deployment,"https://firmware.example.com/fw.bin",site.pki.ec.sign(IMAGE))
    st=await new_station(deployment,site,"d1","ocpp2.0.1",tmp_path); st.tells=()
    async with st.online():
        await backend.joined("d1")
        await backend.call("d1","UpdateFirmware",{"location":"https://firmware.example.com/fw.bin","retrieveDate":AT})
        o=await st.expect("UpdateFirmware")
        await st.tell("Downloading",o["requestId"])
        await backend.close()
        for s in SECURE[1:]: show(await st.tell(s,o["requestId"]))
        await backend.open()
        await backend.joined("d1")
        show(await drain(backend,32))
        show((await updates_of(deployment,"d1")))

async def test_e_operator_replaces_backends(deployment, backend, site, tmp_path):
    deployment.configure(conf(site,ext=True)); await deployment.start()
    s=site.pki.ec.sign(IMAGE)
    i=await uploaded(deployment,"https://firmware.example.com/fw.bin",s)
    st=await new_station(deployment,site,"e1","ocpp2.0.1",tmp_path); st.tells=()
    async with st.online():
        await backend.joined("e1")
        show(await backend.call("e1","SignedUpdateFirmware",signed_order("https://firmware.example.com/fw.bin",s)))
        o=await st.expect("UpdateFirmware"); await st.tell("Downloading",o["requestId"])
        show(await drain(backend,1))
        st.asked.clear(); st.answers["UpdateFirmware"]={"status":"AcceptedCanceled"}
        show(await deployment.api("POST","stations/e1/firmware",{"image_id":i}))
        o=await st.expect("UpdateFirmware")
        for x in SECURE: await st.tell(x,o["requestId"])
        show("backend heard",await drain(backend,1))
        show([(u["id"],u["state"],u["status"]) for u in await updates_of(deployment,"e1")])

async def test_f_16_plain_station(deployment, backend, site, tmp_path):
    deployment.configure(conf(site)); await deployment.start()
    s=site.pki.ec.sign(IMAGE)
    await uploaded(deployment,"https://firmware.example.com/fw.bin",s)
    for name in ("plain-1","f2"):
        st=await new_station(deployment,site,name,"ocpp1.6",tmp_path); st.tells=()
        st.answers["UpdateFirmware"]={}
        async with st.online():
            await backend.joined(name)
            show(name, await backend.call(name,"UpdateFirmware",{"location":"https://firmware.example.com/fw.bin","retrieveDate":AT,"retries":3,"retryInterval":10}))
            o=await st.expect("UpdateFirmware" if name=="plain-1" else "SignedUpdateFirmware"); show(o)
            st.answers["TriggerMessage"]={"status":"Accepted"}
            show("trigger",await backend.call(name,"TriggerMessage",{"requestedMessage":"FirmwareStatusNotification"}))
            if name=="plain-1":
                for x in ("Idle","Downloading","Downloaded","Installing","Installed","Idle"): show(await st.call("FirmwareStatusNotification",{"status":x}))
            else:
                for x in SECURE: show(await st.tell(x,o["requestId"]))
                show(await st.call("SignedFirmwareStatusNotification",{"status":"Idle"}))
                show("trig idle plain",await st.call("FirmwareStatusNotification",{"status":"Idle"}))
            show("backend heard",await drain(backend,1))
            show([(u["id"],u["state"],u["status"]) for u in await updates_of(deployment,name)])
